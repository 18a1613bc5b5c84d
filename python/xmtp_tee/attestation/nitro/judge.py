"""The verdict on a Nitro attestation: one line per link of the chain of proof, in its order."""

from __future__ import annotations

from collections.abc import Collection

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.ecdsa384 import is_signed_p384, p384_key
from xmtp_tee.attestation.errors import QuoteNotGenuineError
from xmtp_tee.attestation.evidence import Attestation
from xmtp_tee.attestation.judgement import (
    BINDING,
    CHAIN,
    DEBUG_OFF,
    FORMAT,
    FRESHNESS,
    REGISTRY,
    ROOT,
    SIGNATURES,
    WHY,
    WORKLOAD,
    Expectations,
    Judgement,
)
from xmtp_tee.attestation.nitro.chain import NitroChain, verify_chain
from xmtp_tee.attestation.nitro.document import NitroDocument, parse_document
from xmtp_tee.attestation.nitro.revocation import read_nitro_crl
from xmtp_tee.attestation.nitro.roots import read_nitro_root
from xmtp_tee.attestation.nitro.verify import (
    report_data_of,
    require_production,
    require_timestamp,
)
from xmtp_tee.attestation.nitro.workload import workload_of
from xmtp_tee.attestation.revocation_line import REVOCATION, WHY_REVOCATION, judge_revocation
from xmtp_tee.attestation.x509 import Revoked
from xmtp_tee.dates import show_time
from xmtp_tee.verdict import CheckResult

CERTIFICATES = "certificates"
TIME = "document's time"

LINES = (
    FORMAT,
    CERTIFICATES,
    REVOCATION,
    SIGNATURES,
    TIME,
    DEBUG_OFF,
    WORKLOAD,
    BINDING,
    CHAIN,
    REGISTRY,
    FRESHNESS,
    ROOT,
)
_WHY = {
    **WHY,
    FORMAT: "A document with two readings could be verified in one and used in the other.",
    CERTIFICATES: "They lead from AWS's root through region, zone and instance to this enclave's key, for three hours.",
    REVOCATION: WHY_REVOCATION,
    SIGNATURES: "The key that AWS certified for this enclave signed every byte of the document.",
    TIME: "A document from outside of its key's life was not made by this enclave.",
    DEBUG_OFF: "The parent reads the console of an enclave in debug mode, whose code is not measured.",
}
_VENDOR_ROOT = "AWS Nitro Enclaves Root G1"


def judge_nitro(
    attestation: Attestation,
    root_ca_der: bytes,
    now: int,
    expected: Expectations,
    *,
    revoked: Collection[Revoked] = (),
    crls: Collection[bytes] = (),
) -> tuple[Judgement, AssuranceLevel]:
    """Judge a Nitro attestation offline, under a pinned root, at ``now`` (unix seconds).

    ``revoked`` names certificates that are refused; ``crls`` are AWS's revocation lists in DER.
    Evidence never makes this raise; :meth:`Judgement.verdict` and :meth:`Judgement.first_error` have the outcome.

    :raises FieldError: the root is not a root certificate
    """
    root = read_nitro_root(root_ca_der)
    judgement = Judgement(LINES, _WHY)
    level = judgement.root(
        development=root.development,
        shown=root.key_hash.hex() if root.development else _VENDOR_ROOT,
        expected=_VENDOR_ROOT,
    )
    judgement.add(
        FRESHNESS, CheckResult.NOT_CHECKED, "only the chain knows which blocks are recent"
    )
    document = judgement.attempt(FORMAT, lambda: parse_document(attestation.quote))
    if document is None:
        return judgement, level
    judgement.add(FORMAT, CheckResult.PASS, f"Nitro document of {document.module_id}", "COSE_Sign1")
    chain = judgement.attempt(
        CERTIFICATES, lambda: verify_chain(document, root, now, frozenset(revoked))
    )
    if chain is None:
        return judgement, level
    judgement.add(CERTIFICATES, CheckResult.PASS, f"until {show_time(chain.shortest.not_after)}")
    judge_revocation(
        judgement, crls, chain.certificates, lambda crl, issuer: read_nitro_crl(crl, issuer, now)
    )
    if _judge_signature(judgement, document, chain):
        _judge_document(judgement, document, chain, now)
        report_data = judgement.attempt(BINDING, lambda: report_data_of(document))
        if report_data is not None:
            judgement.content(attestation, workload_of(document), report_data, expected)
    return judgement, level


def _judge_signature(judgement: Judgement, document: NitroDocument, chain: NitroChain) -> bool:
    if not is_signed_p384(p384_key(chain.leaf), document.signature, document.signed):
        error = QuoteNotGenuineError("The enclave's certified key did not sign the document.")
        judgement.fail(SIGNATURES, error)
        return False
    judgement.add(SIGNATURES, CheckResult.PASS, "document and certificates, ECDSA P-384")
    return True


def _judge_document(
    judgement: Judgement, document: NitroDocument, chain: NitroChain, now: int
) -> None:
    def in_time() -> bool:
        require_timestamp(document, chain, now)
        return True

    def production() -> bool:
        require_production(document)
        return True

    if judgement.attempt(TIME, in_time):
        judgement.add(TIME, CheckResult.PASS, show_time(document.timestamp_ms // 1000))
    if judgement.attempt(DEBUG_OFF, production):
        judgement.add(DEBUG_OFF, CheckResult.PASS, "off", "off")
