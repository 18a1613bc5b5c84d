"""``xmtp-tee collateral revoke-amd``: AMD's revocation list of a product line, brought to the chain."""

from __future__ import annotations

from pathlib import Path

import click

from xmtp_tee.commands.console import Console
from xmtp_tee.commands.files import read_file, read_root
from xmtp_tee.commands.options import (
    chain_options,
    json_option,
    open_chain,
    open_sender,
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
    rpc_url: str | None,
    deployment: Path | None,
    keystore: str | None,
    password_file: Path | None,
    unsafe_private_key_env: str | None,
    node_account: str | None,
    console: Console,
) -> None:
    """Bring AMD's revocation list, DER, of a product line: https://kdsintf.amd.com/vcek/v1/<line>/crl.

    Anyone may: what counts is the root's signature. It ends every platform below what it names, for good.
    """
    chain, where = open_chain(rpc_url, deployment, console)
    from xmtp_tee.attestation.sevsnp.product import ProductLine
    from xmtp_tee.client.amd_revocation import new_serials, submit_amd_crl

    line = ProductLine.from_label(product)
    listed = read_file(crl, "revocation list")
    serials = new_serials(chain, where, line, listed)
    data: dict[str, object] = {"product": product, "new": serials, "dry_run": dry_run}
    names = ", ".join(f"{serial:#x}" for serial in serials) or "none"
    if dry_run or not serials:
        console.result(data, f"not known yet as revoked: {names}")
        return
    if ark is None and not where.development_root:
        raise UsageError("the root's certificate is needed", expected="--ark FILE")
    if ark is None:
        from xmtp_tee.attestation.simulator.sevsnp import development_snp_pki

        root = development_snp_pki(line).ark().der
    else:
        root = read_root(ark, "certificate")
    sender = open_sender(keystore, password_file, unsafe_private_key_env, node_account)
    receipt = submit_amd_crl(chain, where, line, root, listed, sender)
    console.result(
        data | {"transaction": receipt.transaction, "gas": receipt.gas_used},
        [f"revoked: {names}", f"transaction {receipt.transaction}, gas {receipt.gas_used:,}"],
    )
