"""Evidence for the chain: a Nitro document, and the witnesses that make its P-384 signatures cheap.

The form is defined in contracts/attestation/nitro (NitroVerifier)::

    kind 0x03 | form 0x00 | document length u16 | document | witness length u16 | witness of the document
    | count u8 | count times (witness length u16 | witness)

The last witnesses belong to the last ``count`` certificates of the chain, in its order. A certificate that the chain
knows already needs none, so ``count`` is 0 where the enclave's certificate is known, 1 where its issuer is, and so on.
"""

from __future__ import annotations

from xmtp_tee.attestation.ecdsa384 import certificate_signature, p384_key
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.nitro.document import NitroDocument, parse_document
from xmtp_tee.attestation.p384.signed import witness_of
from xmtp_tee.attestation.x509 import X509, read_x509
from xmtp_tee.hashing import keccak256

FORM_DOCUMENT = 0


def nitro_evidence(document: bytes | NitroDocument, unknown: int | None = None) -> bytes:
    """Return the evidence of a document, 20 to 90 kB; a signature's witness takes about 0.2 s.

    ``unknown`` is how many of the chain's last certificates the contract does not know yet
    (:func:`certificate_ids` names them); all below the root unless given.

    :raises QuoteMalformedError: the bytes are no document
    :raises CertificateMalformedError: a certificate cannot be read
    :raises NoWitnessError: a signature is wrong
    """
    parsed = document if isinstance(document, NitroDocument) else parse_document(document)
    certificates = _certificates(parsed)
    count = len(certificates) - 1 if unknown is None else unknown
    if not 0 <= count < len(certificates):
        raise ValueError(f"{count} unknown certificates in a chain of {len(certificates)}")
    own = witness_of(p384_key(certificates[-1]), parsed.signature, parsed.signed)
    issuers = certificates[len(certificates) - 1 - count : -1]
    witnesses = [
        witness_of(p384_key(issuer), certificate_signature(certificate), certificate.tbs)
        for issuer, certificate in zip(
            issuers, certificates[len(certificates) - count :], strict=True
        )
    ]
    return b"".join(
        (
            bytes([TeeKind.NITRO, FORM_DOCUMENT]),
            _sized(parsed.raw),
            _sized(own),
            bytes([count]),
            *(_sized(witness) for witness in witnesses),
        )
    )


def certificate_ids(document: bytes | NitroDocument) -> tuple[bytes, ...]:
    """Return the 20-byte ids under which the contract knows the chain's certificates, the root's first.

    The last one, that of the enclave's certificate, is the platform's handle. An id is the first 20 bytes of keccak256
    of the TBSCertificate: the signature around it could be varied.
    """
    parsed = document if isinstance(document, NitroDocument) else parse_document(document)
    return tuple(keccak256(certificate.tbs)[:20] for certificate in _certificates(parsed))


def _certificates(document: NitroDocument) -> tuple[X509, ...]:
    chain = (*document.bundle, document.certificate)
    return tuple(read_x509(der, f"Certificate {place}") for place, der in enumerate(chain))


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data
