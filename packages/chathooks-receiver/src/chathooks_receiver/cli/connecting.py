"""The server that commands go through."""

from pathlib import Path

from chathooks_receiver.tools.failures import ToolFailed
from chathooks_receiver.tools.rest import Rest


def server_connection(
    server: str, api_key: str | None, app_id: str | None, ca_file: Path | None
) -> Rest:
    """A server and its key. Raises ToolFailed: ERR_NO_API_KEY, ERR_URL, ERR_CA_FILE or ERR_HEADER."""
    if not api_key:
        raise ToolFailed(
            "ERR_NO_API_KEY",
            "The server needs an API key.",
            advice="Give --api-key or CHATHOOKS_API_KEY; `credentials.toml` of the server's data directory has one.",
        )
    return Rest(server, api_key, app_id, ca_file)
