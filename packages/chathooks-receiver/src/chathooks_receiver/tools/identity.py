"""How a tool introduces itself to an endpoint: whose webhook it plays, and what it proves that with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from chathooks_events.errors import InvalidSecret
from chathooks_events.signing import SigningKey
from chathooks_receiver.testing import Data, SignedRequest, signed_request
from chathooks_receiver.tools.failures import ToolFailed

Platform: TypeAlias = Literal["chathooks", "cometchat"]
"""What requests look like: with event id, signature and `chathooks-…` headers, or without, as CometChat's are."""

USER_AGENT = "Chathooks/tools"
USERNAME_CHARS_MAX = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What all requests of one sender share."""

    app_id: str = "demo"
    region: str = "us"
    webhook_id: str = "tools"
    credentials: tuple[str, str] | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    platform: Platform = "chathooks"

    def request(
        self,
        trigger: str,
        data: Data,
        *,
        event_id: str,
        now_s: float,
        attempt: int = 1,
        number: int | None = None,
        sequence: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> SignedRequest:
        """A delivery, signed at the unix time `now_s`; without event id and own headers where CometChat is played."""
        if self.platform == "cometchat":
            return signed_request(
                trigger,
                data,
                event_id=None,
                secret=None,
                credentials=self.credentials,
                app_id=self.app_id,
                region=self.region,
                webhook_id=self.webhook_id,
                headers={"User-Agent": USER_AGENT, **(headers or {})},
            )
        own = {"User-Agent": USER_AGENT, "chathooks-attempt": str(attempt)}
        if number is not None:
            own |= {"chathooks-delivery": f"dlv_tools_{number}", "chathooks-number": str(number)}
        if sequence is not None:
            own["chathooks-sequence"] = str(sequence)
        return signed_request(
            trigger,
            data,
            event_id=event_id,
            timestamp_s=now_s,
            secret=self.secret,
            credentials=self.credentials,
            app_id=self.app_id,
            region=self.region,
            webhook_id=self.webhook_id,
            headers={**own, **(headers or {})},
        )


def identity(
    *,
    username: str | None,
    password: str | None,
    secret: str | None,
    platform: Platform = "chathooks",
    app_id: str = "demo",
    region: str = "us",
    webhook_id: str = "tools",
) -> Identity:
    """An identity from what was given on the command line.

    Raises:
        ToolFailed: ERR_BASIC_AUTH or ERR_SIGNATURE_SECRET_INVALID, with exit code 2.
    """
    credentials = None
    if username is not None or password is not None:
        if not username or not password or ":" in username or len(username) > USERNAME_CHARS_MAX:
            raise ToolFailed(
                "ERR_BASIC_AUTH",
                "Basic auth needs a user name without a colon, and a password.",
                advice="Give both --username and --password, or neither.",
            )
        credentials = (username, password)
    if secret is not None:
        try:
            SigningKey.parse(secret)
        except InvalidSecret as error:
            raise ToolFailed(
                error.code,
                error.message,
                advice="--secret is what the answer to creating the webhook called `secret`.",
            ) from None
    return Identity(
        app_id=app_id,
        region=region,
        webhook_id=webhook_id,
        credentials=credentials,
        secret=secret,
        platform=platform,
    )
