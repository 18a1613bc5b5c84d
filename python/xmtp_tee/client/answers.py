"""Arguments before they are sent, and answers before they are believed."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from xmtp_tee.attestation.address import checksum_address, parse_address
from xmtp_tee.attestation.certificate import KeyBundleCertificate
from xmtp_tee.attestation.errors import FieldError
from xmtp_tee.attestation.evidence import Attestation
from xmtp_tee.attestation.kinds import Provenance, TeeKind
from xmtp_tee.attestation.pre_key import verify_pre_key_signature
from xmtp_tee.client.errors import EnclaveMismatchError
from xmtp_tee.client.models import KeyInfo, PreKeyInfo
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.faults import OwnerInvalidError

M = TypeVar("M", bound=wire.Message)


def address(value: str | bytes) -> bytes:
    """Return the 20 bytes of an address.

    :raises FieldError: if it is none
    """
    return parse_address(value) if isinstance(value, str) else parse_address("0x" + value.hex())


def owner_address(value: str | bytes) -> bytes:
    """Return the 20 bytes of an owner's address.

    :raises OwnerInvalidError: if it is no address
    """
    if not isinstance(value, str | bytes):
        raise OwnerInvalidError("The owner is not an address", got=type(value).__name__)
    try:
        return address(value)
    except FieldError as error:
        raise OwnerInvalidError(
            "The owner is not an address", got=error.got, expected=error.expected
        ) from error


def built(kind: type[M], **fields: object) -> M:
    """Return a message whose fields are checked as the enclave will check them.

    :raises FieldError: naming the field that is wrong
    """
    try:
        return msgspec.convert(
            {"type": kind.__struct_config__.tag, **fields}, kind, builtin_types=(bytes,)
        )
    except msgspec.ValidationError as error:
        raise FieldError("An argument has a wrong type, length or range", got=str(error)) from None


def next_cursor(after: int, following: int | None) -> int | None:
    """Return the cursor of the next page, which must lead onwards.

    :raises EnclaveMismatchError: if it does not, for then the listing would never end
    """
    if following is not None and following <= after:
        raise EnclaveMismatchError("The listing does not advance", got=following)
    return following


def key_of_owner(key: wire.Key, owner: bytes) -> KeyInfo:
    """Return the identity key that was asked for.

    :raises EnclaveMismatchError: if it is another owner's, or no identity key
    """
    if key.owner != owner or key.purpose != "xmtp-identity" or key.key_type != "ed25519":
        raise EnclaveMismatchError(
            "What came back is not the owner's identity key",
            got=f"{key.purpose} ({key.key_type})",
            expected=f"the identity key of {checksum_address(owner)}",
        )
    return KeyInfo.from_wire(key)


def verified_pre_key(
    key: wire.PreKey, identity_key_id: str, expires_at: int | None = None
) -> PreKeyInfo:
    """Return a pre-key once its signature verifies.

    :raises EnclaveMismatchError: if it belongs to another identity key, or expires at another time
    :raises PreKeySignatureInvalidError: if the identity key did not sign it
    """
    if key.identity_key_id != identity_key_id:
        raise EnclaveMismatchError(
            "The pre-key is another identity key's",
            got=key.identity_key_id,
            expected=identity_key_id,
        )
    if expires_at is not None and key.expires_at != expires_at:
        raise EnclaveMismatchError(
            "The pre-key expires at another time", got=key.expires_at, expected=expires_at
        )
    verify_pre_key_signature(
        owner=key.owner,
        identity_key=key.identity_key,
        pre_key=key.public_key,
        epoch=key.epoch,
        expires_at=key.expires_at,
        signature=key.signature,
    )
    return PreKeyInfo.from_wire(key)


def attestation_of(quote: wire.Quote, asked: wire.GetAttestation) -> Attestation:
    """Return the attestation that was asked for. Nothing of the quote itself is verified.

    :raises EnclaveMismatchError: if it is for another chain, registry or block, or of another kind of TEE
    """
    tees = {kind.label: kind for kind in TeeKind if kind is not TeeKind.NONE}
    if quote.tee not in tees:
        raise EnclaveMismatchError("The quote is of an unknown TEE", got=quote.tee)
    if asked.tee not in {"", quote.tee}:
        raise EnclaveMismatchError(
            "The quote is of another TEE than asked for", got=quote.tee, expected=asked.tee
        )
    for name in ("chain_id", "enclave_registry", "block_number", "block_hash"):
        if getattr(quote, name) != getattr(asked, name):
            raise EnclaveMismatchError(f"The quote is for another {name.replace('_', ' ')}")
    return Attestation(
        tee=tees[quote.tee],
        quote=quote.quote,
        authority=quote.authority,
        transport_key=quote.transport_key,
        chain_id=quote.chain_id,
        enclave_registry=quote.enclave_registry,
        block_number=quote.block_number,
        block_hash=quote.block_hash,
    )


def certificate_of(
    made: wire.Certificate, asked: wire.CertifyKeyBundle, authority: bytes
) -> KeyBundleCertificate:
    """Return the certificate that was asked for, once both its signatures verify.

    :raises EnclaveMismatchError: if it is for another chain or registry
    :raises CertificateInvalidError: if ``authority`` or the identity key did not sign
    """
    if (made.chain_id, made.key_registry) != (asked.chain_id, asked.key_registry):
        raise EnclaveMismatchError("The certificate is for another registry than asked for")
    provenances = {kind.label: kind for kind in Provenance}
    certificate = KeyBundleCertificate(
        chain_id=made.chain_id,
        key_registry=made.key_registry,
        owner=made.owner,
        identity_key=made.identity_key,
        pre_key=made.pre_key,
        pre_key_signature=made.pre_key_signature,
        epoch=made.epoch,
        expires_at=made.expires_at,
        provenance=provenances.get(made.provenance, Provenance.NONE),
        signature=made.signature,
    )
    certificate.require_signed_by(authority)
    verify_pre_key_signature(
        owner=certificate.owner,
        identity_key=certificate.identity_key,
        pre_key=certificate.pre_key,
        epoch=certificate.epoch,
        expires_at=certificate.expires_at,
        signature=certificate.pre_key_signature,
    )
    return certificate
