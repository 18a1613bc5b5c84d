"""``xmtp-tee attest``: the enclave's evidence, into a file that anyone can verify."""

from __future__ import annotations

from pathlib import Path

import click

from xmtp_tee.commands.by_kind import kind_named
from xmtp_tee.commands.console import Console
from xmtp_tee.commands.files import write_text
from xmtp_tee.commands.options import (
    ChainChoice,
    chain_options,
    json_option,
    open_keys,
    socket_option,
)


@click.command()
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write; default: stdout.",
)
@click.option(
    "--tee", metavar="KIND", help="Of an enclave that several kinds of TEE vouch for: by this one."
)
@click.option("--block", type=click.IntRange(min=0), help="Bind this block; default: a recent one.")
@socket_option
@chain_options
@json_option
def attest(
    output: Path | None,
    tee: str | None,
    block: int | None,
    socket: Path | None,
    where: ChainChoice,
    console: Console,
) -> None:
    """Have the enclave attest itself for a deployment, bound to a recent block, and save the evidence."""
    kind = None if tee is None else kind_named(tee)
    chain, deployment = where.connect(console)
    from xmtp_tee.client.registry import recent_block

    bound = recent_block(chain) if block is None else chain.block(block)
    with open_keys(socket) as keys, console.progress("quoting"):
        attestation = keys.get_attestation(
            chain_id=deployment.chain_id,
            enclave_registry=deployment.address("EnclaveRegistry"),
            block_number=bound.number,
            block_hash=bound.hash,
            tee=kind,
        )
    text = attestation.to_json()
    if output is not None:
        write_text(output, text, "evidence")
        console.say(f"next: xmtp-tee verify {output}")
    console.result(
        {
            "file": None if output is None else str(output),
            "attestation": attestation.as_dict(),
        },
        text.rstrip() if output is None else f"written: {output}, bound to block {bound.number}",
    )
