"""The ``attestationProof`` argument: a certificate, with or without the enclave's evidence.

Packed, big-endian, without a spare byte (docs/SPECIFICATION.md, KeyRegistry)::

    0x01 version u8 | provenance u8 | authority 20 | epoch u32 | expiresAt u40 | certificate r || s || v 65   = 96
    then nothing (the enclave is attested already), or
    transportKey 32 | blockNumber u40 | evidence, at least a byte
"""

from __future__ import annotations

from dataclasses import dataclass

from xmtp_tee.attestation.certificate import SIGNATURE_SIZE, KeyBundleCertificate
from xmtp_tee.attestation.evidence import Attestation
from xmtp_tee.attestation.fields import require_length
from xmtp_tee.attestation.kinds import Provenance
from xmtp_tee.errors import UsageError

VERSION = 1
CERTIFICATE_SIZE = 96
"""The size of a proof without evidence, and of the part of one with evidence that certifies."""
SHORTEST_WITH_EVIDENCE = CERTIFICATE_SIZE + 32 + 5 + 1
# What the registry stores in 24 and 32 bits.
LARGEST_EPOCH = 2**24 - 1
LATEST_EXPIRY = 2**32 - 1


class ProofError(UsageError):
    """Certificate and attestation do not belong together, or bytes are no attestationProof."""

    code = "registry.proof"


@dataclass(frozen=True, slots=True)
class Evidence:
    """An attestation and its bytes for the chain's router (first byte: the TEE's kind)."""

    attestation: Attestation
    encoded: bytes


@dataclass(frozen=True, slots=True)
class DecodedProof:
    """What stands in an attestationProof. ``authority`` is 20 bytes, ``signature`` 65.

    Without evidence ``transport_key`` and ``evidence`` are empty and ``block_number`` is 0.
    """

    provenance: Provenance
    authority: bytes
    epoch: int
    expires_at: int
    signature: bytes
    transport_key: bytes = b""
    block_number: int = 0
    evidence: bytes = b""


def encode_proof(
    certificate: KeyBundleCertificate, authority: bytes, evidence: Evidence | None = None
) -> bytes:
    """Return the proof for a certificate of ``authority`` (20 bytes).

    :raises ProofError: the evidence is of another enclave than the certificate, or a number is larger than the
        registry stores
    """
    require_length("authority", authority, 20)
    require_length("certificate signature", certificate.signature, SIGNATURE_SIZE)
    _require_fits("epoch", certificate.epoch, LARGEST_EPOCH)
    _require_fits("expiry", certificate.expires_at, LATEST_EXPIRY)
    proof = (
        bytes([VERSION, certificate.provenance])
        + authority
        + certificate.epoch.to_bytes(4, "big")
        + certificate.expires_at.to_bytes(5, "big")
        + certificate.signature
    )
    if evidence is None:
        return proof
    attestation = evidence.attestation
    if attestation.authority != authority:
        raise ProofError(
            "the evidence attests another authority than the certificate's",
            got="0x" + attestation.authority.hex(),
            expected="0x" + authority.hex(),
        )
    if not evidence.encoded:
        raise ProofError("the evidence is empty", expected="at least a byte")
    _require_fits("block number", attestation.block_number, 2**40 - 1)
    return (
        proof
        + attestation.transport_key
        + attestation.block_number.to_bytes(5, "big")
        + evidence.encoded
    )


def decode_proof(proof: bytes) -> DecodedProof:
    """Read a proof; the same bytes come back from :func:`encode_proof`.

    :raises ProofError: the length, the version or the provenance is none that the registry accepts
    """
    if len(proof) != CERTIFICATE_SIZE and len(proof) < SHORTEST_WITH_EVIDENCE:
        raise ProofError(
            "the proof has a wrong length",
            got=f"{len(proof)} bytes",
            expected=f"{CERTIFICATE_SIZE}, or at least {SHORTEST_WITH_EVIDENCE}",
        )
    if proof[0] != VERSION:
        raise ProofError("the proof has another version", got=proof[0], expected=VERSION)
    if proof[1] not in set(Provenance) - {Provenance.NONE}:
        raise ProofError("the proof's provenance is unknown", got=proof[1], expected="1 to 3")
    more = proof[CERTIFICATE_SIZE:]
    return DecodedProof(
        provenance=Provenance(proof[1]),
        authority=proof[2:22],
        epoch=int.from_bytes(proof[22:26], "big"),
        expires_at=int.from_bytes(proof[26:31], "big"),
        signature=proof[31:CERTIFICATE_SIZE],
        transport_key=more[:32],
        block_number=int.from_bytes(more[32:37], "big"),
        evidence=more[37:],
    )


def _require_fits(name: str, value: int, largest: int) -> None:
    if value > largest:
        raise ProofError(
            f"the {name} is larger than the registry stores", got=value, expected=f"<= {largest}"
        )
