"""Encrypts what workflows keep in Temporal: arguments, results, summaries and errors.

Each payload names the key that encrypted it, so keys can change while runs last for years. What
isn't encrypted is read as it is, so runs that began without a key go on with one.
"""

import base64
import binascii
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    PayloadCodec,
)

ENCODING = b"binary/encrypted"
CIPHER = b"AES-256-GCM"
PLAIN = "none"
"""In place of the first key: nothing is encrypted, but what was is read."""
KEY_BYTES, NONCE_BYTES = 32, 12
LONGEST_NAME = 32
_NAME = re.compile(rf"[A-Za-z0-9._-]{{1,{LONGEST_NAME}}}")


class PayloadKeyError(Exception):
    """A payload can't be decrypted. The message names the key, never what was encrypted."""


@dataclass(frozen=True)
class PayloadKeys:
    """Keys by name. `first` encrypts, all decrypt; without `first`, nothing is encrypted."""

    first: str | None
    keys: dict[str, bytes]

    @classmethod
    def of(cls, text: str) -> "PayloadKeys":
        """Read `name:key,name:key`, each key 32 bytes in base64, `none` in place of the first one
        to encrypt nothing. Raises `ValueError`, whose message doesn't show a key."""
        entries = [entry.strip() for entry in text.split(",") if entry.strip()]
        plain = bool(entries) and entries[0] == PLAIN
        keys: dict[str, bytes] = {}
        for number, entry in enumerate(entries[plain:], 1 + plain):
            name, _, encoded = entry.partition(":")
            if not _NAME.fullmatch(name) or name == PLAIN:
                raise ValueError(
                    f"entry {number} must be a name, a colon and a key: the name has up to 32"
                    " letters, digits, dots, dashes and underscores"
                )
            try:
                key = base64.b64decode(encoded, validate=True)
            except binascii.Error:
                key = b""
            if len(key) != KEY_BYTES:
                raise ValueError(
                    f"the key {name} must be 32 bytes in base64, as `openssl rand -base64 32`"
                    " makes them"
                )
            if name in keys:
                raise ValueError(f"two keys are named {name}: give the new one another name")
            keys[name] = key
        return cls(None if plain else next(iter(keys), None), keys)

    @cached_property
    def ciphers(self) -> dict[str, AESGCM]:
        return {name: AESGCM(key) for name, key in self.keys.items()}


class EncryptingCodec(PayloadCodec):
    """Encrypts each payload with AES-256-GCM and a random nonce."""

    def __init__(self, keys: PayloadKeys) -> None:
        self._first = keys.first
        self._ciphers = keys.ciphers

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        if self._first is None:
            return list(payloads)
        return [self._sealed(payload, self._first) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Raises `PayloadKeyError`."""
        return [self._opened(payload) for payload in payloads]

    def _sealed(self, payload: Payload, name: str) -> Payload:
        nonce = os.urandom(NONCE_BYTES)
        key_id = name.encode()
        sealed = self._ciphers[name].encrypt(nonce, payload.SerializeToString(), key_id)
        metadata = {"encoding": ENCODING, "encryption-cipher": CIPHER, "encryption-key-id": key_id}
        return Payload(metadata=metadata, data=nonce + sealed)

    def _opened(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING:
            return payload
        key_id = payload.metadata.get("encryption-key-id", b"")
        name = key_id.decode(errors="replace")
        cipher = self._ciphers.get(name)
        if cipher is None:
            raise PayloadKeyError(
                f"a payload was encrypted with the key {name:.{LONGEST_NAME}}, which isn't in"
                " LATCHKEY_TEMPORAL_KEYS"
            )
        nonce, sealed = payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:]
        try:
            return Payload.FromString(cipher.decrypt(nonce, sealed, key_id))
        except (InvalidTag, DecodeError, ValueError):
            raise PayloadKeyError(
                f"a payload can't be decrypted with the key {name}: the key isn't the one that"
                " encrypted it, or the payload was changed"
            ) from None


def converter(keys: PayloadKeys | None) -> DataConverter:
    """What a client of Temporal converts values with. Without keys: Temporal's own."""
    if keys is None:
        return DataConverter.default
    return replace(
        DataConverter.default,
        payload_codec=EncryptingCodec(keys),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )
