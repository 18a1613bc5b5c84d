"""Pre-shared keys (RFC 9420, section 8.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from xmtp_tee.mls.codec import Reader, opaque, u8, u16, u64
from xmtp_tee.mls.crypto import Entropy, expand_with_label, extract
from xmtp_tee.mls.errors import PskTwiceError, PskUnknownError, UnknownVariantError
from xmtp_tee.mls.suites import HASH_SIZE
from xmtp_tee.mls.wiping import wipe


class PskUsage(IntEnum):
    """What a resumption key is used for."""

    APPLICATION = 1
    REINIT = 2
    BRANCH = 3


@dataclass(frozen=True)
class ExternalPskId:
    """Names a key that the application shared in another way."""

    psk_id: bytes
    nonce: bytes

    def encode(self) -> bytes:
        """Return the bytes of the PreSharedKeyID."""
        return b"\x01" + opaque(self.psk_id) + opaque(self.nonce)


@dataclass(frozen=True)
class ResumptionPskId:
    """Names the resumption secret of an epoch of a group."""

    usage: PskUsage
    group_id: bytes
    epoch: int
    nonce: bytes

    def encode(self) -> bytes:
        """Return the bytes of the PreSharedKeyID."""
        return b"".join(
            (b"\x02", u8(self.usage), opaque(self.group_id), u64(self.epoch), opaque(self.nonce))
        )


PskId = ExternalPskId | ResumptionPskId


def decode_psk_id(reader: Reader) -> PskId:
    """Read a PreSharedKeyID.

    :raises UnknownVariantError: another type or usage
    """
    match reader.u8():
        case 1:
            return ExternalPskId(reader.opaque(), reader.opaque())
        case 2:
            number = reader.u8()
            if number not in (1, 2, 3):
                raise UnknownVariantError("A resumption key's usage is 1, 2 or 3", got=number)
            return ResumptionPskId(PskUsage(number), reader.opaque(), reader.u64(), reader.opaque())
        case other:
            raise UnknownVariantError("A pre-shared key's type is 1 or 2", got=other)


def fresh_nonce(entropy: Entropy) -> bytes:
    """Return a nonce for a PreSharedKeyID: as many bytes as the hash has."""
    return entropy(HASH_SIZE)


class PskStore:
    """The pre-shared keys at hand: external ones by id, resumption secrets by group and epoch."""

    def __init__(
        self,
        external: Mapping[bytes, bytes] | None = None,
        resumption: Mapping[tuple[bytes, int], bytes] | None = None,
    ) -> None:
        self._external = dict(external or {})
        self._resumption = dict(resumption or {})

    def __repr__(self) -> str:
        return f"<PskStore {len(self._external)} external, {len(self._resumption)} resumption>"

    def with_resumption(self, secrets: Mapping[tuple[bytes, int], bytes]) -> PskStore:
        """Return a store that holds these resumption secrets too."""
        return PskStore(self._external, {**self._resumption, **secrets})

    def holds(self, identifier: PskId) -> bool:
        """Return whether the key is here."""
        if isinstance(identifier, ExternalPskId):
            return identifier.psk_id in self._external
        return (identifier.group_id, identifier.epoch) in self._resumption

    def find(self, identifier: PskId) -> bytes:
        """Return the key.

        :raises PskUnknownError: it is not here
        """
        if isinstance(identifier, ExternalPskId):
            key, name = self._external.get(identifier.psk_id), identifier.psk_id.hex()
        else:
            key = self._resumption.get((identifier.group_id, identifier.epoch))
            name = f"group {identifier.group_id.hex()}, epoch {identifier.epoch}"
        if key is None:
            raise PskUnknownError("A pre-shared key is not held here", got=name)
        return key


def psk_secret(identifiers: Sequence[PskId], store: PskStore) -> bytes:
    """Return the secret (32 bytes) of all the keys in their order; zeros when there are none.

    :raises PskUnknownError: one is not held here
    """
    secret = bytes(HASH_SIZE)
    for index, identifier in enumerate(identifiers):
        label = identifier.encode() + u16(index) + u16(len(identifiers))
        extracted = extract(bytes(HASH_SIZE), store.find(identifier))
        derived = expand_with_label(extracted, b"derived psk", label, HASH_SIZE)
        secret, old = extract(derived, secret), secret
        wipe(extracted, derived, old)
    return secret


def require_distinct_psks(identifiers: Sequence[PskId]) -> None:
    """Refuse a list that names a key twice with one nonce.

    :raises PskTwiceError: naming the key
    """
    seen = set()
    for identifier in identifiers:
        if identifier in seen:
            raise PskTwiceError("A pre-shared key is named twice", got=identifier.encode().hex())
        seen.add(identifier)
