"""``xmtp-tee verify-peer``: does the installation I talk to live in an enclave?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from xmtp_tee.commands.console import Console, table
from xmtp_tee.commands.options import ChainChoice, chain_options, json_option
from xmtp_tee.commands.owners import accept_simulated_option
from xmtp_tee.errors import ExitCode

if TYPE_CHECKING:
    from xmtp_tee.client.xmtp.peers import PeerReport
    from xmtp_tee.xmtp.identity_log import Inbox


@click.command(
    "verify-peer",
    epilog="Exit codes: 0 every installation lives in a trusted enclave; 4 some are refused (simulated, "
    "expired, enclave not trusted); 2 some have no record; 3 could not check.",
)
@click.argument("address")
@click.option(
    "--node-url",
    metavar="URL",
    default="http://localhost:5556",
    show_default=True,
    help="The XMTP node; the default is the environment `local`.",
)
@accept_simulated_option
@chain_options
@json_option
def verify_peer(
    address: str,
    node_url: str,
    unsafe_accept_simulated: bool,
    where: ChainChoice,
    console: Console,
) -> None:
    """Compare a peer's XMTP installations with what its wallets have published on chain.

    The inbox's log is verified here, signature by signature; the node is believed to show all of it. Whoever
    sends to the peer sends to ALL of its installations: one without a record can read along outside.
    """
    from xmtp_tee.attestation.address import checksum_address, parse_address

    parse_address(address)
    with console.progress("loading the clients"):
        from xmtp_tee.client.registry_reader import RegistryReader
        from xmtp_tee.client.xmtp.peers import ChainPeers, report_on

    chain, deployment = where.connect(console)
    with console.progress("reading the inbox's log"):
        inbox = asyncio.run(_inbox(node_url, address))
    peers = ChainPeers(RegistryReader(chain, deployment), accept_simulated=unsafe_accept_simulated)
    with console.progress("asking the registry"):
        wallets = [checksum_address(wallet) for wallet in inbox.wallets]
        standings = peers.standings(wallets, inbox.installations)
    report = report_on(address, inbox, standings)
    code = _code(report)
    console.result(
        {
            "ok": code is ExitCode.VERIFIED,
            "exit_code": int(code),
            "address": report.address,
            "inbox_id": report.inbox_id,
            "wallets": list(report.wallets),
            "installations": [
                {
                    "installation_id": each.installation_id.hex(),
                    "attested": each.attested,
                    "standing": each.standing,
                    "owner": each.owner,
                }
                for each in report.installations
            ],
        },
        [*_lines(report), "", _sentence(report)],
    )
    if code is not ExitCode.VERIFIED:
        raise click.exceptions.Exit(int(code))


async def _inbox(node_url: str, address: str) -> Inbox:
    from xmtp_tee.client.xmtp.node_api import NodeApi
    from xmtp_tee.client.xmtp.peers import fetch_inbox

    async with NodeApi(node_url) as node:
        return await fetch_inbox(node, address)


def _lines(report: PeerReport) -> list[str]:
    return table(
        ["installation", "in an enclave", "standing", "published by"],
        [
            [
                each.installation_id.hex(),
                "yes" if each.attested else "NO",
                each.standing,
                each.owner or "",
            ]
            for each in report.installations
        ],
    )


def _sentence(report: PeerReport) -> str:
    attested = sum(each.attested for each in report.installations)
    total = len(report.installations)
    if total and attested == total:
        return (
            f"All {total} installations of {report.address} live in enclaves that are trusted now."
        )
    return f"{attested} of {total} installations of {report.address} live in trusted enclaves."


def _code(report: PeerReport) -> ExitCode:
    standings = [each.standing for each in report.installations]
    if not standings or "no-record" in standings:
        return ExitCode.INVALID_EVIDENCE
    if any(standing != "trusted" for standing in standings):
        return ExitCode.REFUSED_BY_POLICY
    return ExitCode.VERIFIED
