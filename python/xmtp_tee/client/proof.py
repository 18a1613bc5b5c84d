"""The ``attestationProof`` argument: a certificate, with or without the enclave's evidence.

``abi.encode(BundleProof)`` with ``struct BundleProof {address authority; uint64 epoch; uint64 expiresAt;
Provenance provenance; bytes signature; bytes32 transportKey; uint64 blockNumber; bytes evidence;}``.
Without evidence, transportKey and blockNumber are 0: the enclave is attested already.
"""

from __future__ import annotations

from dataclasses import dataclass

from eth_abi.abi import encode

from xmtp_tee.attestation.certificate import KeyBundleCertificate
from xmtp_tee.attestation.evidence import Attestation
from xmtp_tee.errors import UsageError

_BUNDLE_PROOF = "(address,uint64,uint64,uint8,bytes,bytes32,uint64,bytes)"


class ProofError(UsageError):
    """Certificate and attestation do not belong together."""

    code = "registry.proof"


@dataclass(frozen=True, slots=True)
class Evidence:
    """An attestation and its bytes for the chain's router (first byte: the TEE's kind)."""

    attestation: Attestation
    encoded: bytes


def encode_proof(
    certificate: KeyBundleCertificate, authority: bytes, evidence: Evidence | None = None
) -> bytes:
    """Return the proof for a certificate of ``authority`` (20 bytes).

    :raises ProofError: the evidence is of another enclave than the certificate
    """
    transport_key, block_number, encoded = bytes(32), 0, b""
    if evidence is not None:
        attestation = evidence.attestation
        if attestation.authority != authority:
            raise ProofError(
                "the evidence attests another authority than the certificate's",
                got="0x" + attestation.authority.hex(),
                expected="0x" + authority.hex(),
            )
        transport_key, block_number = attestation.transport_key, attestation.block_number
        encoded = evidence.encoded
    fields = (
        authority,
        certificate.epoch,
        certificate.expires_at,
        int(certificate.provenance),
        certificate.signature,
        transport_key,
        block_number,
        encoded,
    )
    return encode([_BUNDLE_PROOF], [fields])
