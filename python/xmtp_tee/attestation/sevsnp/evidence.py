"""Evidence for the chain: a SEV-SNP report, and the witness that makes its P-384 signature cheap.

The forms are defined in contracts/attestation/sevsnp (SevSnpVerifier)::

    kind 0x04 | 0x00 | product u8 | x 48 | y 48 | report 1184 | witness            a key that the chain knows
    kind 0x04 | 0x01 | signer u8 | length u16 | certificate | report 1184 | witness    brings its certificate

``signer`` is 2 * product for a VCEK, 2 * product + 1 for a VLEK. ARK, ASK and ASVK are in the contract already, and the
RSA signature of a certificate needs no witness.
"""

from __future__ import annotations

from typing import NamedTuple

from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.p384.signed import witness_of
from xmtp_tee.attestation.rsa_pss import rsa_modulus
from xmtp_tee.attestation.sevsnp.anchors import AMD_ANCHORS, Anchor, anchor_of
from xmtp_tee.attestation.sevsnp.certificate_table import SnpEvidence, parse_evidence
from xmtp_tee.attestation.sevsnp.endorsement import Endorsement, read_endorsement
from xmtp_tee.attestation.sevsnp.product import ProductLine
from xmtp_tee.attestation.sevsnp.workload import instance_of
from xmtp_tee.attestation.x509 import read_x509
from xmtp_tee.hashing import keccak256

FORM_KNOWN_KEY = 0
FORM_NEW_KEY = 1


def known_key_evidence(
    evidence: bytes | SnpEvidence, anchors: tuple[Anchor, ...] = AMD_ANCHORS
) -> bytes:
    """Return evidence of a platform that the chain knows (:func:`platform_handle`), about 16 kB.

    :raises QuoteMalformedError: the bytes are no extended report
    :raises QuoteNotGenuineError: the root is none of ``anchors``, or the certificate is not AMD's profile
    :raises NoWitnessError: the report's signature is wrong
    """
    parsed = _parsed(evidence)
    endorsement = _endorsement(parsed, anchors)
    head = bytes([TeeKind.SEV_SNP, FORM_KNOWN_KEY, endorsement.product])
    return head + endorsement.key + parsed.report.raw + _witness(parsed, endorsement)


def new_key_evidence(
    evidence: bytes | SnpEvidence, anchors: tuple[Anchor, ...] = AMD_ANCHORS
) -> bytes:
    """Return evidence that brings the certificate of the key along, about 17.5 kB.

    :raises QuoteMalformedError: the bytes are no extended report
    :raises QuoteNotGenuineError: the root is none of ``anchors``, or the certificate is not AMD's profile
    :raises NoWitnessError: the report's signature is wrong
    """
    parsed = _parsed(evidence)
    endorsement = _endorsement(parsed, anchors)
    signer = 2 * endorsement.product + endorsement.signing_key
    length = len(parsed.endorsement).to_bytes(2, "big")
    head = bytes([TeeKind.SEV_SNP, FORM_NEW_KEY, signer]) + length + parsed.endorsement
    return head + parsed.report.raw + _witness(parsed, endorsement)


def platform_handle(
    evidence: bytes | SnpEvidence, anchors: tuple[Anchor, ...] = AMD_ANCHORS
) -> bytes:
    """Return the handle, 20 bytes, under which the chain records the platform.

    The first 20 bytes of keccak256(abi.encode(kind, product, instance, reported TCB, keccak256(x || y))); the TCB is
    the number that its eight bytes are in little-endian, the instance left-aligned.

    :raises QuoteMalformedError: the bytes are no extended report
    :raises QuoteNotGenuineError: the root is none of ``anchors``, or the certificate is not AMD's profile
    """
    parsed = _parsed(evidence)
    endorsement = _endorsement(parsed, anchors)
    tcb = int.from_bytes(parsed.report.reported_tcb, "little")
    words = (
        int(TeeKind.SEV_SNP).to_bytes(32, "big"),
        int(endorsement.product).to_bytes(32, "big"),
        instance_of(parsed.report.chip_id).ljust(32, b"\0"),
        tcb.to_bytes(32, "big"),
        keccak256(endorsement.key),
    )
    return keccak256(b"".join(words))[:20]


def _parsed(evidence: bytes | SnpEvidence) -> SnpEvidence:
    return evidence if isinstance(evidence, SnpEvidence) else parse_evidence(evidence)


def _endorsement(evidence: SnpEvidence, anchors: tuple[Anchor, ...]) -> Endorsement:
    ark = read_x509(evidence.ark, "The ARK certificate")
    anchor = anchor_of(keccak256(rsa_modulus(ark)), anchors)
    name = f"The {evidence.report.signing_key.name} certificate"
    return read_endorsement(read_x509(evidence.endorsement, name), anchor.product)


def _witness(evidence: SnpEvidence, endorsement: Endorsement) -> bytes:
    report = evidence.report
    return witness_of(endorsement.key, report.signature, report.signed)


class SignerSubmission(NamedTuple):
    """The arguments of the contract's ``submitSigner``: an ASK or ASVK, once for each and by anyone."""

    product: ProductLine
    ark: bytes
    signer: bytes


def signer_submission(
    evidence: bytes | SnpEvidence, anchors: tuple[Anchor, ...] = AMD_ANCHORS
) -> SignerSubmission:
    """Return what the chain must have been given before it takes evidence of this kind of key.

    :raises QuoteMalformedError: the bytes are no extended report
    :raises QuoteNotGenuineError: the root is none of ``anchors``
    """
    parsed = _parsed(evidence)
    ark = read_x509(parsed.ark, "The ARK certificate")
    product = anchor_of(keccak256(rsa_modulus(ark)), anchors).product
    return SignerSubmission(product, parsed.ark, parsed.intermediate)
