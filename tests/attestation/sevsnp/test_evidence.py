"""Evidence for the chain: its bytes, piece by piece, as contracts/attestation/sevsnp reads them."""

from __future__ import annotations

import pytest

from tests.attestation.sevsnp.support import ANCHORS, MILAN, REPORT, VLEK, recipe, verify
from xmtp_tee.attestation.errors import QuoteNotGenuineError
from xmtp_tee.attestation.p384 import NoWitnessError
from xmtp_tee.attestation.p384.signed import witness_of
from xmtp_tee.attestation.sevsnp.certificate_table import parse_evidence
from xmtp_tee.attestation.sevsnp.evidence import (
    known_key_evidence,
    new_key_evidence,
    platform_handle,
    signer_submission,
)
from xmtp_tee.attestation.sevsnp.product import ProductLine
from xmtp_tee.attestation.sevsnp.report import REPORT_SIZE, SigningKey
from xmtp_tee.attestation.simulator.sevsnp import EndorsementRecipe, development_snp_pki
from xmtp_tee.hashing import keccak256


def test_evidence_of_a_known_key_names_it_by_its_coordinates() -> None:
    verified = verify(REPORT)
    evidence = known_key_evidence(REPORT, ANCHORS)
    assert evidence[:3] == bytes([4, 0, ProductLine.MILAN])
    assert evidence[3:99] == verified.endorsement.key
    assert evidence[99 : 99 + REPORT_SIZE] == REPORT[:REPORT_SIZE]
    report = verified.report
    expected = witness_of(verified.endorsement.key, report.signature, report.signed)
    assert evidence[99 + REPORT_SIZE :] == expected


@pytest.mark.parametrize("product", ProductLine)
@pytest.mark.parametrize("kind", SigningKey)
def test_evidence_of_a_new_key_brings_its_certificate(
    product: ProductLine, kind: SigningKey
) -> None:
    raw = recipe(endorsed=EndorsementRecipe(signing_key=kind)).build(development_snp_pki(product))
    certificate = parse_evidence(raw).endorsement
    evidence = new_key_evidence(raw, ANCHORS)
    assert evidence[:3] == bytes([4, 1, 2 * product + kind])
    assert int.from_bytes(evidence[3:5], "big") == len(certificate)
    end = 5 + len(certificate)
    assert evidence[5:end] == certificate
    assert evidence[end : end + REPORT_SIZE] == raw[:REPORT_SIZE]
    # A flag, two quotients and the slopes of some 300 lines.
    assert 14_000 < len(evidence) - end - REPORT_SIZE < 17_000


def test_handle_is_the_platforms_hash() -> None:
    verified = verify(REPORT)
    words = (
        (4).to_bytes(32, "big"),
        (1).to_bytes(32, "big"),
        verified.instance + bytes(16),
        int.from_bytes(verified.report.reported_tcb, "little").to_bytes(32, "big"),
        keccak256(verified.endorsement.key),
    )
    assert platform_handle(REPORT, ANCHORS) == keccak256(b"".join(words))[:20]
    assert platform_handle(recipe(report_data=bytes(64)).build(), ANCHORS) == platform_handle(
        REPORT, ANCHORS
    )
    assert platform_handle(recipe(endorsed=VLEK).build(), ANCHORS) != platform_handle(
        REPORT, ANCHORS
    )


def test_the_chain_must_be_given_the_signer_once() -> None:
    submission = signer_submission(REPORT, ANCHORS)
    ask = MILAN.intermediate(SigningKey.VCEK).der
    assert submission == (ProductLine.MILAN, MILAN.ark().der, ask)


def test_evidence_under_a_root_that_is_not_pinned_is_not_made() -> None:
    for encode in (known_key_evidence, new_key_evidence, platform_handle, signer_submission):
        with pytest.raises(QuoteNotGenuineError, match="not a pinned one"):
            encode(REPORT)


def test_a_report_with_a_wrong_signature_has_no_evidence() -> None:
    forged = recipe(signer=MILAN.p384("stranger")).build()
    with pytest.raises(NoWitnessError):
        known_key_evidence(forged, ANCHORS)
