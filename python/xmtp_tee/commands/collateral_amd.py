"""``xmtp-tee collateral revoke-amd``: AMD's revocation list of a product line, brought to the chain."""

from __future__ import annotations

from pathlib import Path

import click

from xmtp_tee.commands.console import Console
from xmtp_tee.commands.files import read_file, read_root
from xmtp_tee.commands.options import (
    ChainChoice,
    SenderChoice,
    chain_options,
    json_option,
    sender_options,
)
from xmtp_tee.errors import UsageError


@click.command("revoke-amd")
@click.argument("crl", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--product", type=click.Choice(["Milan", "Genoa", "Turin"]), required=True, help="Whose list."
)
@click.option(
    "--ark",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The root's certificate, DER or PEM (AMD's cert_chain will do); the development root has its own.",
)
@click.option("--dry-run", is_flag=True, help="Name what would be revoked, and stop.")
@chain_options
@sender_options
@json_option
def revoke_amd(
    crl: Path,
    product: str,
    ark: Path | None,
    dry_run: bool,
    where: ChainChoice,
    sender: SenderChoice,
    console: Console,
) -> None:
    """Bring AMD's revocation list, DER, of a product line: https://kdsintf.amd.com/vcek/v1/<line>/crl.

    Anyone may: what counts is the root's signature. It ends every platform below what it names, for good.
    """
    listed = read_file(crl, "revocation list")
    root = None if ark is None else read_root(ark, "certificate")
    if root is None and not dry_run and not where.load().development_root:
        raise UsageError("the root's certificate is needed", expected="--ark FILE")
    with console.progress("loading the chain client"):
        from xmtp_tee.attestation.sevsnp.product import ProductLine
        from xmtp_tee.client.amd_revocation import listed_serials, new_serials, submit_amd_crl

    line, serials = ProductLine.from_label(product), listed_serials(listed)
    chain, deployment = where.connect(console)
    with console.progress("comparing"):
        serials = new_serials(chain, deployment, line, serials)
    data: dict[str, object] = {"product": product, "new": list(map(hex, serials))}
    names = ", ".join(f"{serial:#x}" for serial in serials) or "none"
    if dry_run or not serials:
        console.result(data | {"sent": False}, f"not known yet as revoked: {names}")
        return
    if root is None:
        from xmtp_tee.attestation.simulator.sevsnp import development_snp_pki

        root = development_snp_pki(line).ark().der
    account = sender.open()
    with console.progress("bringing the list"):
        receipt = submit_amd_crl(chain, deployment, line, root, listed, account)
    console.result(
        data | {"sent": True, "transaction": receipt.transaction, "gas": receipt.gas_used},
        [f"revoked: {names}", f"transaction {receipt.transaction}, gas {receipt.gas_used:,}"],
    )
