"""unicode: text of every script is acknowledged."""

from chathooks_events.samples import sample
from chathooks_receiver.tools.checks.contract import (
    TESTING,
    Check,
    Finding,
    Probe,
    failed,
    passed,
)

TEXTS = {
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈",
    "right to left": "\u200fשלום\u200e مرحبا",
    "combining marks": "Z͑ͫ̓a̴l̶g̷o̸",
    "control characters": "a\x00b\x1b[31mc\u2028d",
    "characters of four bytes": "𐍈𒀀🀄",
    "quotes and backslashes": "\"'\\`${x}{{y}}<script>",
}


async def run(probe: Probe) -> Finding:
    """Send a message with each text."""
    refused = []
    for what, text in TEXTS.items():
        data = sample("message_sent")
        data["message"]["data"]["text"] = text
        result = await probe.deliver(probe.request("message_sent", data))
        if not result.acknowledged:
            refused.append(f"{what} ({result.outcome})")
    if refused:
        return failed(f"Not acknowledged: {', '.join(refused)}.")
    return passed(f"{len(TEXTS)} kinds of text were acknowledged.")


CHECK = Check(
    id="unicode",
    title="acknowledges text of every script",
    section=TESTING,
    severity="major",
    advice="Decode the body as UTF-8, use a database column that takes all of Unicode (utf8mb4 in MySQL), and strip or escape NUL for PostgreSQL.",
    run=run,
)
