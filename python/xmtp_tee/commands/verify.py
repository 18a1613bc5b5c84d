"""``xmtp-tee verify``: the verdict on evidence from a file, or on an owner's entry on chain."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from xmtp_tee.commands.console import Console
from xmtp_tee.commands.options import (
    chain_options,
    hex_bytes,
    json_option,
    open_chain,
    open_keys,
    socket_option,
)
from xmtp_tee.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from xmtp_tee.client.registry_reader import OnChainKey
    from xmtp_tee.verdict import Verdict


@click.command(
    epilog="Exit codes: 0 verified; 1 usage; 2 invalid evidence, or no record; 3 network or collateral "
    "unavailable; 4 genuine but refused by policy (debug, TCB, expired, simulated)."
)
@click.argument("subject", metavar="FILE|OWNER")
@click.option(
    "--root",
    metavar="development|FILE",
    help="The pinned root of a FILE: the development root, or the vendor's certificate in DER.",
)
@click.option(
    "--collateral",
    type=click.Path(path_type=Path),
    help="The platform's collateral (dcap-qvl's JSON); the development root has its own.",
)
@click.option(
    "--workload", "workloads", multiple=True, metavar="HEX", help="Expect this workload id."
)
@click.option("--chain-id", type=click.IntRange(min=1), help="Expect evidence for this chain.")
@click.option("--registry", metavar="ADDRESS", help="Expect evidence for this EnclaveRegistry.")
@click.option(
    "--at",
    # Up to the year 3000: who gives milliseconds learns it here.
    type=click.IntRange(min=86_400, max=32_503_680_000),
    metavar="SECONDS",
    help="Judge at this unix time, in seconds.",
)
@click.option(
    "--online",
    is_flag=True,
    help="Compare a FILE with the deployment: chain, registry, policy, and the bound block.",
)
@click.option("--identity-key", metavar="HEX", help="Of an OWNER with several keys: this one.")
@click.option(
    "--unsafe-accept-simulated",
    is_flag=True,
    help="Do not fail because of a development root. For development only.",
)
@click.option("--explain", is_flag=True, help="Say why each check matters.")
@socket_option
@chain_options
@json_option
def verify(
    subject: str,
    root: str | None,
    collateral: Path | None,
    workloads: tuple[str, ...],
    chain_id: int | None,
    registry: str | None,
    at: int | None,
    online: bool,
    identity_key: str | None,
    unsafe_accept_simulated: bool,
    explain: bool,
    socket: Path | None,
    rpc_url: str | None,
    deployment: Path | None,
    console: Console,
) -> None:
    """Verify evidence from a FILE offline, or what the registry says of an OWNER.

    A line per check: pass, warn, fail, or not checked, which is never a pass. With --socket an OWNER's
    entry is compared with the enclave, field by field.
    """
    if _is_address(subject) and not Path(subject).exists():
        verdict = _owner(
            subject, identity_key, socket, rpc_url, deployment, console, unsafe_accept_simulated
        )
    else:
        from xmtp_tee.commands import evidence_file

        verdict = evidence_file.judge(
            Path(subject),
            evidence_file.Expectations(
                root=root,
                collateral=collateral,
                workloads=[hex_bytes(text, "--workload", 32) for text in workloads] or None,
                chain_id=chain_id,
                registry=None if registry is None else hex_bytes(registry, "--registry", 20),
                at=int(time.time()) if at is None else at,
                online=(rpc_url, deployment) if online else None,
                accept_simulated=unsafe_accept_simulated,
            ),
            console,
        )
    console.verdict(verdict, explain=explain)
    if verdict.exit_code is not ExitCode.VERIFIED:
        raise click.exceptions.Exit(int(verdict.exit_code))


def _owner(
    owner: str,
    identity_key: str | None,
    socket: Path | None,
    rpc_url: str | None,
    deployment: Path | None,
    console: Console,
    accept_simulated: bool,
) -> Verdict:
    chain, where = open_chain(rpc_url, deployment, console)
    from xmtp_tee.client.comparison import judge_registration
    from xmtp_tee.client.registry_reader import RegistryReader

    reader = RegistryReader(chain, where)
    key = (
        _only_key(reader.keys_of(owner), owner)
        if identity_key is None
        else hex_bytes(identity_key, "--identity-key", 32)
    )
    if socket is None:
        return judge_registration(reader, owner, key, accept_simulated=accept_simulated)
    with open_keys(socket) as keys:
        return judge_registration(reader, owner, key, keys=keys, accept_simulated=accept_simulated)


def _only_key(keys: list[OnChainKey], owner: str) -> bytes:
    from xmtp_tee.client.chain_errors import NotRegistered
    from xmtp_tee.client.registry_reader import KeyState

    if not keys:
        raise NotRegistered(
            "the registry holds no bundle of this owner",
            got=owner,
            next_command="xmtp-tee register",
        )
    active = [key for key in keys if key.state is KeyState.ACTIVE] or keys
    if len(active) > 1:
        raise UsageError(
            "the owner has several keys",
            got=", ".join("0x" + key.identity_key.hex() for key in active),
            expected="one",
            next_command="pass --identity-key",
        )
    return active[0].identity_key


def _is_address(text: str) -> bool:
    return len(text) == 42 and text.startswith("0x")
