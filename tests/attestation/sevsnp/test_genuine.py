"""Genuine reports of AMD's hardware, and AMD's own certificates."""

from __future__ import annotations

import random

import pytest

from tests.attestation.sevsnp.support import (
    ANCHORS,
    FLOORS,
    GENUINE_DEBUG,
    GENUINE_VLEK,
    GENUINE_VLEK_AT,
    NO_FLOOR,
    chain_of,
    genuine_evidence,
)
from tests.attestation.support import Genuine, flipped
from xmtp_tee.attestation.errors import (
    CollateralUnavailableError,
    DebugEnabledError,
    EvidenceExpiredError,
    QuoteNotGenuineError,
    TcbStatusRefusedError,
)
from xmtp_tee.attestation.rsa_pss import require_signed_by_rsa, rsa_modulus
from xmtp_tee.attestation.sevsnp.anchors import AMD_ANCHORS
from xmtp_tee.attestation.sevsnp.certificate_table import SnpEvidence
from xmtp_tee.attestation.sevsnp.product import ProductLine, Tcb
from xmtp_tee.attestation.sevsnp.report import SIGNED_SIZE, parse_report
from xmtp_tee.attestation.sevsnp.verify import VerifiedReport, verify_report
from xmtp_tee.attestation.x509 import read_x509
from xmtp_tee.errors import InvalidEvidenceError, RefusedByPolicyError
from xmtp_tee.hashing import keccak256

CHAINS = {
    ProductLine.MILAN: ("snp/ask_ark_milan.pem", "snp/ask_ark_milan_vlek.pem"),
    ProductLine.GENOA: ("snp/ask_ark_genoa.pem", "snp/ask_ark_genoa_vlek.pem"),
    ProductLine.TURIN: ("snp/ask_ark_turin_vcek.pem", "snp/ask_ark_turin_vlek.pem"),
}


def verify(
    evidence: SnpEvidence | bytes, now: int = GENUINE_VLEK_AT, **options: object
) -> VerifiedReport:
    """Verify under AMD's keys."""
    floors = options.pop("floors", NO_FLOOR)
    return verify_report(evidence, floors, now, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("product", ProductLine)
def test_the_pinned_keys_are_those_of_amds_certificates(
    genuine: Genuine, product: ProductLine
) -> None:
    anchor = next(anchor for anchor in AMD_ANCHORS if anchor.product is product)
    for path, expected in zip(CHAINS[product], (anchor.ask, anchor.asvk), strict=True):
        intermediate, ark = (read_x509(der, "AMD's") for der in chain_of(genuine, path))
        assert keccak256(rsa_modulus(ark)) == anchor.ark
        assert keccak256(rsa_modulus(intermediate)) == expected
        assert ark.common_name == f"ARK-{product.label}"
        require_signed_by_rsa(ark, ark)
        require_signed_by_rsa(intermediate, ark)
        ark.require_ca(certificates_below=1)
        intermediate.require_ca(certificates_below=0)


def test_pinned_keys_are_nine_different_ones() -> None:
    hashes = {h for anchor in AMD_ANCHORS for h in (anchor.ark, anchor.ask, anchor.asvk)}
    assert len(hashes) == 9


def test_the_genuine_vlek_report_verifies(genuine: Genuine) -> None:
    verified = verify(genuine_evidence(genuine, GENUINE_VLEK))
    assert verified.report.version == 3
    assert verified.report.policy == 0x30000
    assert verified.report.vmpl == 1
    assert verified.product is ProductLine.MILAN
    assert verified.tcb == Tcb(boot_loader=4, snp=24, microcode=217)
    assert verified.endorsement.provider == "CN=cc-us-east-2.amazonaws.com"
    assert verified.instance == bytes(16)
    assert not verified.development
    assert (
        verified.workload.hex()
        == "6597a91c6a90d437292b68c42c6f1892097b15d63c383f762f6ebd5112cf1a0d"
    )
    assert verified.report_data.hex().startswith("819770b7e6ea6df8dd8fd4dd146b073c")


def test_the_genuine_vlek_report_lapses_with_its_certificate(genuine: Genuine) -> None:
    evidence = genuine_evidence(genuine, GENUINE_VLEK)
    window = verify(evidence).shortest
    assert window.end == 1_765_404_861
    assert verify(evidence, window.end)
    assert verify(evidence, window.start)
    for now in (window.end + 1, window.start - 1):
        with pytest.raises(EvidenceExpiredError, match="VLEK certificate"):
            verify(evidence, now)


def test_the_genuine_vlek_report_is_measured_by_the_floor(genuine: Genuine) -> None:
    evidence = genuine_evidence(genuine, GENUINE_VLEK)
    floor = Tcb(boot_loader=4, snp=24, microcode=217)
    assert verify(evidence, floors={ProductLine.MILAN: floor})
    with pytest.raises(TcbStatusRefusedError, match="not accepted"):
        verify(evidence, floors=FLOORS)


def test_the_genuine_debug_report_is_refused_although_its_signature_holds(genuine: Genuine) -> None:
    evidence = genuine_evidence(genuine, GENUINE_DEBUG)
    for now in (1_680_307_200, 1_740_000_000, 1_860_000_000):
        with pytest.raises(DebugEnabledError, match="0xb0000"):
            verify(evidence, now)


def test_the_genuine_vcek_is_bound_to_its_chip_and_its_report(genuine: Genuine) -> None:
    evidence = genuine_evidence(genuine, GENUINE_DEBUG)
    vlek = genuine_evidence(genuine, GENUINE_VLEK)
    mixed = SnpEvidence(vlek.report, evidence.endorsement, evidence.intermediate, evidence.ark)
    with pytest.raises(QuoteNotGenuineError):
        verify(mixed)


def test_genuine_reports_do_not_verify_under_development_keys(genuine: Genuine) -> None:
    with pytest.raises(QuoteNotGenuineError, match="not a pinned one"):
        verify(genuine_evidence(genuine, GENUINE_VLEK), anchors=ANCHORS)


def test_genuine_reports_survive_the_table(genuine: Genuine) -> None:
    evidence = genuine_evidence(genuine, GENUINE_VLEK)
    assert verify(evidence.encode()) == verify(evidence)


def _refused(raw: bytes) -> bool:
    try:
        verify(raw)
    except (InvalidEvidenceError, RefusedByPolicyError, CollateralUnavailableError):
        # A missing certificate is no verdict, and no acceptance either.
        return True
    return False


def test_one_flipped_bit_of_report_or_certificates_is_refused(genuine: Genuine) -> None:
    raw = genuine_evidence(genuine, GENUINE_VLEK).encode()
    generator = random.Random("flips of a report")
    # Every byte of the header and the signature's edges, and a sample of everything else.
    places = [*range(0x60), *range(0x29C, 0x2A4), *range(0x2CC, 0x2D4), *range(0x49C, 0x4A4)]
    places += generator.sample(range(0x60, len(raw)), 200)
    for place in places:
        bit = 8 * place + generator.randrange(8)
        assert _refused(flipped(raw, bit)), f"bit {bit}"


@pytest.mark.proof
@pytest.mark.timeout(1_800)
def test_every_changed_byte_is_refused(genuine: Genuine) -> None:
    raw = genuine_evidence(genuine, GENUINE_VLEK).encode()
    generator = random.Random("every byte of a report")
    for place in range(len(raw)):
        for change in {1 << generator.randrange(8), generator.randrange(1, 256)}:
            bent = raw[:place] + bytes([raw[place] ^ change]) + raw[place + 1 :]
            assert _refused(bent), f"byte {place} ^ {change:#x}"


def test_the_signature_covers_what_it_should(genuine: Genuine) -> None:
    report = parse_report(genuine.read(GENUINE_VLEK[0]))
    assert len(report.signed) == SIGNED_SIZE == 0x2A0
