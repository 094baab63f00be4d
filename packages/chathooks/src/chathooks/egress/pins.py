"""Addresses that libcurl is told to use for an origin, judged before it is told (docs/adr/0003)."""

from chathooks.egress.guard import Target, TargetPolicy, judge_address
from chathooks.egress.resolver import Answer

REFUSALS_SHOWN_MAX = 3


class Pin:
    """The addresses of an origin as libcurl was last told."""

    __slots__ = ("answer", "entry", "loaded", "refusal", "usable_until_s")

    def __init__(self) -> None:
        self.answer: Answer | None = None
        self.entry = ""
        self.refusal = ""
        self.loaded = ""
        self.usable_until_s = 0.0
        """Until then (the resolver's clock) libcurl knows the addresses and nothing has to be looked up or judged."""

    def forget_loaded(self) -> None:
        """What was given to a handle may not have reached libcurl: give it anew."""
        self.loaded = ""
        self.usable_until_s = 0.0

    def judge(self, target: Target, answer: Answer, policy: TargetPolicy) -> None:
        """Take over the allowed addresses of `answer`, a name-server's for `target`."""
        self.answer = answer
        self.usable_until_s = 0.0
        allowed: list[str] = []
        refused: list[str] = []
        for ip in answer.addresses:
            verdict = judge_address(ip, policy)
            if verdict is None:
                allowed.append(f"[{ip}]" if ":" in ip else ip)
            else:
                refused.append(f"{ip} is {verdict}")
        self.entry = f"{target.pin}:{','.join(allowed)}" if allowed else ""
        self.refusal = "; ".join(refused[:REFUSALS_SHOWN_MAX])
