"""Mentions in the text of a message: `<@uid:UID>` (rest-api.md D2)."""

import re

_MENTION = re.compile(r"<@uid:([A-Za-z0-9_-]{1,100})>")
_MARK = "<@uid:"


def mentioned_uids(text: str | None) -> list[str]:
    """The uids that `text` mentions, lower-cased, each once, in order of appearance."""
    if text is None or _MARK not in text:
        return []
    return list(dict.fromkeys(uid.lower() for uid in _MENTION.findall(text)))
