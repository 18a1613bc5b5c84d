"""``xmtp-tee collateral signer-amd | revoke-nitro``: what the SEV-SNP and Nitro verifiers need of their vendors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from xmtp_tee.commands.console import Console
from xmtp_tee.commands.files import read_file, read_text
from xmtp_tee.commands.options import (
    ChainChoice,
    SenderChoice,
    chain_options,
    json_option,
    sender_options,
)
from xmtp_tee.errors import UsageError

if TYPE_CHECKING:
    from xmtp_tee.attestation.evidence import Attestation

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("signer-amd")
@click.argument("evidence", type=_FILE)
@click.option("--dry-run", is_flag=True, help="Say whether it is lacking, and stop.")
@chain_options
@sender_options
@json_option
def signer_amd(
    evidence: Path,
    dry_run: bool,
    where: ChainChoice,
    sender: SenderChoice,
    console: Console,
) -> None:
    """Bring the ASK or ASVK that the SEV-SNP report in EVIDENCE (`xmtp-tee attest`) stands on; once for each.

    Anyone may: what counts is AMD's signature.
    """
    attestation = _attestation(evidence, "sev-snp")
    chain, deployment = where.connect(console)
    from xmtp_tee.client.evidence_encoding import missing_signer
    from xmtp_tee.client.tee_collateral import submit_signer

    signer = missing_signer(chain, deployment, attestation.quote)
    if signer is None:
        console.result({"lacking": False, "sent": False}, "known")
        return
    data: dict[str, object] = {"product": signer.product.label, "lacking": True}
    if dry_run:
        console.result(data | {"sent": False}, f"{signer.product.label}: would be sent")
        return
    account = sender.open()
    with console.progress("bringing the signer"):
        receipt = submit_signer(chain, deployment, signer, account)
    console.result(
        data | {"sent": True, "transaction": receipt.transaction, "gas": receipt.gas_used},
        f"{signer.product.label}: sent, transaction {receipt.transaction}, gas {receipt.gas_used:,}",
    )


@click.command("revoke-nitro")
@click.argument("crl", type=_FILE)
@click.argument("evidence", type=_FILE)
@click.option("--dry-run", is_flag=True, help="Name what would be revoked, and stop.")
@chain_options
@sender_options
@json_option
def revoke_nitro(
    crl: Path,
    evidence: Path,
    dry_run: bool,
    where: ChainChoice,
    sender: SenderChoice,
    console: Console,
) -> None:
    """Bring AWS's revocation list CRL (DER), of a CA in the chain of EVIDENCE (`xmtp-tee attest`).

    A certificate names the address of its issuer's list. Anyone may bring it: what counts is the CA's signature. It
    ends every enclave below what it names, for good.
    """
    attestation = _attestation(evidence, "nitro")
    der = read_file(crl, "revocation list")
    with console.progress("loading the chain client"):
        from xmtp_tee.client import tee_collateral

    listed = tee_collateral.nitro_list(der, attestation.quote)
    chain, deployment = where.connect(console)
    with console.progress("comparing"):
        serials = tee_collateral.new_serials(chain, deployment, listed)
    names = ", ".join(f"{serial:#x}" for serial in serials) or "none"
    data: dict[str, object] = {"issuer": listed.issuer.common_name, "new": list(map(hex, serials))}
    if dry_run or not serials:
        console.result(data | {"sent": False}, f"not known yet as revoked: {names}")
        return
    account = sender.open()
    with console.progress("bringing the list"):
        receipts = tee_collateral.submit_nitro_crl(chain, deployment, listed, account)
    gas = sum(receipt.gas_used for receipt in receipts)
    sent = {"sent": True, "transactions": [each.transaction for each in receipts], "gas": gas}
    console.result(
        data | sent, [f"revoked: {names}", f"{len(receipts)} transaction(s), gas {gas:,}"]
    )


def _attestation(path: Path, tee: str) -> Attestation:
    from xmtp_tee.attestation.evidence import Attestation

    found = Attestation.from_json(read_text(path, "evidence"))
    if found.tee.label != tee:
        raise UsageError("the evidence is of another TEE", got=found.tee.label, expected=tee)
    return found
