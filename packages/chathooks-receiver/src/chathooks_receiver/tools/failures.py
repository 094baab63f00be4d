"""How a tool fails: a code, a plain message, advice on what to do next, an exit code."""

from collections.abc import Mapping

EXIT_FAILED = 1
"""The command ran, and what it looked at is not in order; or the server refused the call."""
EXIT_REFUSED = 2
"""Bad input or settings; nothing was done."""
EXIT_UNREACHABLE = 3
"""The endpoint or the server did not answer."""
EXIT_INTERRUPTED = 130
"""Ctrl-C before the end; what was done until then is shown."""


class ToolFailed(Exception):
    """A command that ends with a message.

    Args:
        code: stable name of the failure, `ERR_…`.
        message: what happened, one plain sentence.
        advice: what to do next; may be empty.
        details: names of offending fields and what is wrong with each.
        exit_code: what the process ends with.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        advice: str = "",
        details: Mapping[str, str] | None = None,
        exit_code: int = EXIT_REFUSED,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.advice = advice
        self.details = dict(details or {})
        self.exit_code = exit_code
