"""What a look of `chathooks doctor` finds."""

from typing import Literal

import msgspec


class Check(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing looked at."""

    name: str
    state: Literal["ok", "warning", "failed"]
    message: str
    advice: str = ""
