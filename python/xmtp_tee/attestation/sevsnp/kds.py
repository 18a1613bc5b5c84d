"""AMD's key distribution service: where a report's certificates are to be had. Nothing is fetched here.

Source: AMD 57230, VCEK certificate and KDS interface specification.
"""

from __future__ import annotations

from xmtp_tee.attestation.sevsnp.product import ProductLine, Tcb
from xmtp_tee.attestation.sevsnp.report import SigningKey, SnpReport

KDS = "https://kdsintf.amd.com"


def chain_url(product: ProductLine, signing_key: SigningKey) -> str:
    """Return where ASK or ASVK, and the ARK, of a product line are (PEM)."""
    return f"{KDS}/{signing_key.name.lower()}/v1/{product.label}/cert_chain"


def vcek_url(report: SnpReport) -> str | None:
    """Return where the VCEK of a report's chip and TCB is (DER).

    None for a VLEK, which only its cloud provider can fetch; for a chip whose id is masked; and for version 2, which
    does not say of which product line it is.

    :raises SnpReportMalformedError: the reported TCB has reserved bytes
    """
    if report.cpu is None or report.signing_key is not SigningKey.VCEK or not any(report.chip_id):
        return None
    family, model, _ = report.cpu
    product = next((line for line in ProductLine if line.has_cpu(family, model)), None)
    if product is None:
        return None
    tcb = Tcb.decode(report.reported_tcb, product)
    parts = {
        "blSPL": tcb.boot_loader,
        "teeSPL": tcb.tee,
        "snpSPL": tcb.snp,
        "ucodeSPL": tcb.microcode,
    }
    if product is ProductLine.TURIN:
        parts = {"fmcSPL": tcb.fmc, **parts}
    chip_id = report.chip_id[: product.chip_id_size].hex()
    query = "&".join(f"{name}={value:02d}" for name, value in parts.items())
    return f"{KDS}/vcek/v1/{product.label}/{chip_id}?{query}"
