"""Passwords of groups: only a salted hash is kept (RFC 7914, scrypt)."""

import asyncio
import hashlib
import hmac

from chathooks.kernel.ids import RandomBytes

SALT_BYTES = 16
HASH_BYTES = 32
_COST = 2**14
_BLOCK_SIZE = 8


def _hash(password: str, salt: bytes) -> bytes:
    derived = hashlib.scrypt(
        password.encode(), salt=salt, n=_COST, r=_BLOCK_SIZE, p=1, dklen=HASH_BYTES
    )
    return salt + derived


async def hashed_password(password: str, random: RandomBytes) -> bytes:
    """Salt and hash; made on a thread, as it takes some 50 ms."""
    return await asyncio.to_thread(_hash, password, random(SALT_BYTES))


def password_matches(password: str, hashed: bytes) -> bool:
    """Whether `password` is the one that was hashed."""
    return hmac.compare_digest(_hash(password, hashed[:SALT_BYTES]), hashed)
