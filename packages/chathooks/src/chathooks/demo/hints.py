"""What to type next: commands with the real addresses and keys of a running demo."""

from collections.abc import Mapping

import msgspec

from chathooks.demo.story import GROUP

BODY_LINE_CHARS_MAX = 70


def _quoted(body: Mapping[str, object]) -> str:
    """JSON in single quotes, broken between fields into lines that a terminal of 80 columns holds."""
    fields = [
        msgspec.json.format(msgspec.json.encode({name: value}), indent=0).decode()[1:-1]
        for name, value in body.items()
    ]
    lines = [fields[0]]
    for field in fields[1:]:
        if len(lines[-1]) + len(field) < BODY_LINE_CHARS_MAX:
            lines[-1] += f", {field}"
        else:
            lines[-1] += ","
            lines.append(field)
    text = "{" + "\n      ".join(lines) + "}"
    return "'" + text.replace("'", "'\\''") + "'"


def curl(
    url: str,
    api_key: str,
    path: str,
    *,
    body: Mapping[str, object] | None = None,
    method: str | None = None,
    on_behalf_of: str | None = None,
) -> str:
    """A curl command, over several lines, for a call below `/v3`; POST where there is a body or `method` says so."""
    # Answers are one line of JSON; what is read by a person is laid out.
    end = " | python3 -m json.tool" if body is None and method is None else ""
    parts = [f"curl -sS {f'-X {method} ' if method else ''}'{url}/v3{path}'"]
    parts.append(f"-H 'apikey: {api_key}'")
    if on_behalf_of is not None:
        parts.append(f"-H 'onBehalfOf: {on_behalf_of}'")
    if body is not None:
        parts.append("-H 'Content-Type: application/json'")
        parts.append(f"-d {_quoted(body)}")
    return " \\\n    ".join(parts) + end


def next_steps(url: str, api_key: str, retried: str | None, webhook: str) -> list[tuple[str, str]]:
    """What to try and how.

    Args:
        url: the server's.
        api_key: its fullAccess key.
        retried: id of a delivery that was retried, if there is one.
        webhook: id of a webhook with all triggers.
    """
    message = {
        "receiver": GROUP,
        "receiverType": "group",
        "category": "message",
        "type": "text",
        "data": {"text": "Hello from curl"},
    }
    steps = [
        (
            "Say something (each delivery is printed here as it happens)",
            curl(url, api_key, "/messages", body=message, on_behalf_of="amara"),
        ),
        (
            "Read the delivery log, newest first",
            curl(url, api_key, f"/webhooks/{webhook}/deliveries?limit=3"),
        ),
    ]
    if retried is not None:
        steps.append(
            ("Look at the delivery that was retried", curl(url, api_key, f"/deliveries/{retried}"))
        )
        steps.append(
            (
                "Send it once more",
                curl(url, api_key, f"/deliveries/{retried}/replay", method="POST"),
            )
        )
    return steps
