"""Secrets at rest: sealed with AES-256-GCM; API keys as SHA-256 (delivery contract §4)."""

import base64
import binascii
import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chathooks.kernel.errors import StartRefused
from chathooks.kernel.ids import RandomBytes

SECRET_KEY_BYTES = 32
_NONCE_BYTES = 12
_MASK_VISIBLE_CHARS = 4
PASSWORD_MASK = "********"  # noqa: S105 -- the mask itself, shown in place of a password


class SecretBox:
    """Seals and opens secrets with the store's key; `context` binds a secret to its place."""

    def __init__(self, key: bytes, random: RandomBytes) -> None:
        """Args: key: 32 bytes. random: source of nonces."""
        self._cipher = AESGCM(key)
        self._random = random

    def seal(self, secret: str, context: str) -> bytes:
        """Encrypt `secret` so that it opens only with the same `context`."""
        nonce = self._random(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret.encode(), context.encode())

    def open(self, sealed: bytes, context: str) -> str:
        """Decrypt. Raises StartRefused when the key is not the one that sealed."""
        try:
            plain = self._cipher.decrypt(
                sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context.encode()
            )
        except InvalidTag:
            raise StartRefused(
                "ERR_SECRET_KEY",
                "A stored secret does not open with this CHATHOOKS_SECRET_KEY; start with the key "
                "that the store was made with.",
            ) from None
        return plain.decode()


def new_secret_key(random: RandomBytes) -> str:
    """A key for CHATHOOKS_SECRET_KEY: 32 random bytes in URL-safe base64."""
    return base64.urlsafe_b64encode(random(SECRET_KEY_BYTES)).decode()


def parse_secret_key(text: str) -> bytes:
    """The 32 bytes of a CHATHOOKS_SECRET_KEY. Raises StartRefused where it is not such a key."""
    try:
        key = base64.b64decode(text.strip().encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != SECRET_KEY_BYTES:
        raise StartRefused(
            "ERR_SECRET_KEY",
            "CHATHOOKS_SECRET_KEY is not 32 bytes in base64; leave it unset to have one made, or "
            'make one: python3 -c "import secrets,base64; '
            'print(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())"',
        )
    return key


def digest(key: str) -> bytes:
    """SHA-256 of an API key or token: what is stored and looked up."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def mask(secret: str) -> str:
    """Asterisks and the last four characters."""
    visible = secret[-_MASK_VISIBLE_CHARS:] if len(secret) > 2 * _MASK_VISIBLE_CHARS else ""
    return "*" * 8 + visible
