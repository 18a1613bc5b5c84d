"""The pre-key signature: the identity key vouches for an X25519 pre-key.

Ed25519ph (RFC 8032, section 5.1: the message is pre-hashed by SHA-512) with the context
``xmtp-tee/pre-key/v1`` over 100 bytes: owner 20, identity key 32, pre-key 32, epoch u64, expiry u64.
"""

from __future__ import annotations

from Crypto.Hash import SHA512
from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa

from xmtp_tee.attestation.errors import PreKeySignatureInvalidError
from xmtp_tee.attestation.fields import require_length, require_uint

PRE_KEY_CONTEXT = b"xmtp-tee/pre-key/v1"


def pre_key_message(
    owner: bytes, identity_key: bytes, pre_key: bytes, epoch: int, expires_at: int
) -> bytes:
    """Return the 100 bytes that the identity key signs. ``epoch`` and ``expires_at`` are big-endian u64.

    :raises FieldError: a field has the wrong length or range
    """
    require_length("owner", owner, 20)
    require_length("identity key", identity_key, 32)
    require_length("pre-key", pre_key, 32)
    require_uint("epoch", epoch, 64)
    require_uint("expiry", expires_at, 64)
    return owner + identity_key + pre_key + epoch.to_bytes(8, "big") + expires_at.to_bytes(8, "big")


def verify_pre_key_signature(
    *,
    owner: bytes,
    identity_key: bytes,
    pre_key: bytes,
    epoch: int,
    expires_at: int,
    signature: bytes,
) -> None:
    """Return if the identity key signed this pre-key for this owner, epoch and expiry.

    Identity keys of small order are refused: under them a signature binds no message.

    :raises PreKeySignatureInvalidError: it did not, or the identity key is not a usable Ed25519 key
    :raises FieldError: a field has the wrong length or range
    """
    message = pre_key_message(owner, identity_key, pre_key, epoch, expires_at)
    require_length("pre-key signature", signature, 64)
    public_key = _import(identity_key)
    verifier = eddsa.new(public_key, "rfc8032", context=PRE_KEY_CONTEXT)
    try:
        verifier.verify(SHA512.new(message), signature)
    except ValueError as error:
        raise PreKeySignatureInvalidError(
            "The identity key did not sign this pre-key.", got="0x" + signature.hex()
        ) from error


def _import(identity_key: bytes) -> ECC.EccKey:
    try:
        public_key = eddsa.import_public_key(identity_key)
    except ValueError as error:
        raise PreKeySignatureInvalidError(
            "The identity key is not a point of Ed25519.", got="0x" + identity_key.hex()
        ) from error
    if (public_key.pointQ * 8).is_point_at_infinity():
        raise PreKeySignatureInvalidError(
            "The identity key has small order.", got="0x" + identity_key.hex()
        )
    return public_key
