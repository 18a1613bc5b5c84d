"""What the SEV-SNP tests share: one simulated report, the genuine ones, and how to bend them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.attestation.support import BINDING, Genuine
from xmtp_tee.attestation import Attestation, TeeKind
from xmtp_tee.attestation.kinds import TcbStatus
from xmtp_tee.attestation.sevsnp.certificate_table import SnpEvidence
from xmtp_tee.attestation.sevsnp.product import ProductLine, Tcb
from xmtp_tee.attestation.sevsnp.report import SigningKey, parse_report
from xmtp_tee.attestation.sevsnp.verify import VerifiedReport, verify_report
from xmtp_tee.attestation.simulator.sevsnp import (
    EndorsementRecipe,
    SnpReportRecipe,
    development_anchors,
    development_snp_pki,
)

NOW = 1_800_000_000
MILAN = development_snp_pki(ProductLine.MILAN)
ANCHORS = development_anchors()
FLOORS = {line: Tcb(boot_loader=4, snp=24, microcode=219) for line in ProductLine}
RECIPE = SnpReportRecipe(report_data=BINDING.report_data())
REPORT = RECIPE.build()
VLEK = EndorsementRecipe(signing_key=SigningKey.VLEK)

GENUINE_DEBUG = ("snp/google_attestation.bin", "snp/google_vcek.testcer", "snp/ask_ark_milan.pem")
"""A VCEK's report of a guest whose policy allows debugging."""
GENUINE_VLEK = (
    "snp/coco_test-vlek-report.bin",
    "snp/coco_test-vlek.der",
    "snp/ask_ark_milan_vlek.pem",
)
GENUINE_VLEK_AT = 1_740_000_000
NO_FLOOR = {ProductLine.MILAN: Tcb()}


def chain_of(genuine: Genuine, path: str) -> list[bytes]:
    """The DER certificates of a PEM file of AMD's: ASK or ASVK, then ARK."""
    certificates = x509.load_pem_x509_certificates(genuine.read(path))
    return [certificate.public_bytes(Encoding.DER) for certificate in certificates]


def genuine_evidence(genuine: Genuine, names: tuple[str, str, str]) -> SnpEvidence:
    """A genuine report with its chain."""
    report, endorsement, chain = names
    intermediate, ark = chain_of(genuine, chain)
    return SnpEvidence(
        parse_report(genuine.read(report)), genuine.read(endorsement), intermediate, ark
    )


def recipe(**changes: Any) -> SnpReportRecipe:
    """The genuine recipe, changed."""
    return replace(RECIPE, **changes)


def endorsed(**changes: Any) -> SnpReportRecipe:
    """The genuine recipe under another VCEK or VLEK."""
    return recipe(endorsed=EndorsementRecipe(**changes))


def verify(
    report: SnpReportRecipe | bytes | SnpEvidence,
    now: int = NOW,
    product: ProductLine = ProductLine.MILAN,
    **options: Any,
) -> VerifiedReport:
    """Verify under the development keys."""
    if isinstance(report, SnpReportRecipe):
        report = report.build(development_snp_pki(product))
    options = {"floors": FLOORS, "anchors": ANCHORS, **options}
    return verify_report(report, now=now, **options)


def attestation(report: SnpReportRecipe | bytes = REPORT) -> Attestation:
    """An attestation that claims what the binding of all tests says."""
    return Attestation(
        tee=TeeKind.SEV_SNP,
        quote=report.build() if isinstance(report, SnpReportRecipe) else report,
        authority=BINDING.authority,
        transport_key=BINDING.transport_key,
        chain_id=BINDING.chain_id,
        enclave_registry=BINDING.enclave_registry,
        block_number=BINDING.block_number,
        block_hash=BINDING.block_hash,
    )


ANY_STATUS = frozenset({TcbStatus.UP_TO_DATE, TcbStatus.OUT_OF_DATE})
