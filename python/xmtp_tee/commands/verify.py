"""``xmtp-tee verify``: the verdict on evidence from a file, or on an owner's entry on chain."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from xmtp_tee.commands.console import Console
from xmtp_tee.commands.options import (
    ChainChoice,
    chain_options,
    hex_bytes,
    json_option,
    open_keys,
    refuse_unread,
    socket_option,
)
from xmtp_tee.commands.owners import is_agent, resolve_owner
from xmtp_tee.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from xmtp_tee.client.chain import Chain
    from xmtp_tee.client.deployment import Deployment
    from xmtp_tee.client.on_chain_key import OnChainKey
    from xmtp_tee.verdict import Verdict


@click.command(
    epilog="Exit codes: 0 verified; 1 usage; 2 invalid evidence, or no record; 3 network or collateral "
    "unavailable; 4 genuine but refused by policy (debug, TCB, expired, simulated)."
)
@click.argument("subject", metavar="FILE|OWNER")
@click.option(
    "--root",
    metavar="development|amd|FILE",
    help="The pinned root of a FILE: the development root, AMD's keys, or the vendor's certificate.",
)
@click.option(
    "--tcb-floor",
    metavar="BL,TEE,SNP,UCODE[,FMC]",
    help="SEV-SNP: the least TCB that counts as up to date, component by component.",
)
@click.option(
    "--collateral",
    type=click.Path(path_type=Path),
    help="SGX, TDX: the platform's collateral (dcap-qvl's JSON); the development root has its own.",
)
@click.option(
    "--crl",
    "crls",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Nitro, SEV-SNP: a revocation list of the vendor's (DER). Repeat it for every issuer.",
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
    "--trusted-block",
    metavar="HASH",
    help="Believe nothing that the node says of an OWNER: prove every word against this block hash, which you "
    "have from somebody you trust.",
)
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
    tcb_floor: str | None,
    collateral: Path | None,
    crls: tuple[Path, ...],
    workloads: tuple[str, ...],
    chain_id: int | None,
    registry: str | None,
    at: int | None,
    online: bool,
    identity_key: str | None,
    trusted_block: str | None,
    unsafe_accept_simulated: bool,
    explain: bool,
    socket: Path | None,
    where: ChainChoice,
    console: Console,
) -> None:
    """Verify evidence from a FILE offline, or what the registry says of an OWNER.

    A line per check: pass, warn, fail, or not checked, which is never a pass. With --socket an OWNER's
    entry is compared with the enclave, field by field. With --trusted-block the node is believed in nothing.
    """
    if (_is_address(subject) or is_agent(subject)) and not Path(subject).exists():
        refuse_unread(
            "An OWNER's entry is judged by what the chain verified",
            {
                "root": root,
                "tcb-floor": tcb_floor,
                "collateral": collateral,
                "crl": crls,
                "workload": workloads,
                "chain-id": chain_id,
                "registry": registry,
                "at": at,
                "online": online,
            },
        )
        if trusted_block is None:
            verdict = _owner(subject, identity_key, socket, where, console, unsafe_accept_simulated)
        else:
            refuse_unread("With --trusted-block no enclave is asked", {"socket": socket})
            verdict = _proven(
                subject,
                identity_key,
                hex_bytes(trusted_block, "--trusted-block", 32),
                where.connect(console),
                console,
                accept_simulated=unsafe_accept_simulated,
            )
    else:
        refuse_unread(
            "A FILE has no entry on chain",
            {"trusted-block": trusted_block, "identity-key": identity_key, "socket": socket},
        )
        if online:
            refuse_unread(
                "With --online the deployment says which chain and registry",
                {"chain-id": chain_id, "registry": registry},
            )
        else:
            refuse_unread(
                "No chain is asked of a FILE without --online",
                asdict(where),
            )
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
                online=where if online else None,
                accept_simulated=unsafe_accept_simulated,
                crls=crls,
                tcb_floor=None if tcb_floor is None else evidence_file.read_tcb(tcb_floor),
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
    where: ChainChoice,
    console: Console,
    accept_simulated: bool,
) -> Verdict:
    chain, deployment = where.connect(console)
    from xmtp_tee.client.comparison import judge_registration
    from xmtp_tee.client.registry_reader import RegistryReader

    reader = RegistryReader(chain, deployment)
    owner = resolve_owner(reader, owner)
    key = (
        _only_key(reader.keys_of(owner), owner)
        if identity_key is None
        else hex_bytes(identity_key, "--identity-key", 32)
    )
    if socket is None:
        return judge_registration(reader, owner, key, accept_simulated=accept_simulated)
    with open_keys(socket) as keys:
        return judge_registration(reader, owner, key, keys=keys, accept_simulated=accept_simulated)


def _proven(
    owner: str,
    identity_key: str | None,
    trusted_block: bytes,
    connected: tuple[Chain, Deployment],
    console: Console,
    *,
    accept_simulated: bool,
) -> Verdict:
    from xmtp_tee.client.registry_reader import RegistryReader
    from xmtp_tee.client.state_proof.registries import ProvenBundle, ProvenRegistries
    from xmtp_tee.client.state_proof.verdict import judge_proven

    chain, deployment = connected
    reader = RegistryReader(chain, deployment)
    if is_agent(owner):
        raise UsageError(
            "an agent's handle comes from the node, which is not believed here",
            got=owner,
            expected="the handle itself, an address (`xmtp-tee lookup` with a node that you trust shows it)",
        )
    owner = resolve_owner(reader, owner)
    registries = ProvenRegistries(chain, deployment, trusted_block)
    with console.progress("proving"):
        if identity_key is None:
            key = _one(owner, [bundle.identity_key for bundle in registries.active(owner)])
        else:
            key = hex_bytes(identity_key, "--identity-key", 32)

        def signature_of(bundle: ProvenBundle) -> bytes:
            return reader.published_signature(owner, bundle.identity_key, bundle.pre_key)

        return judge_proven(
            registries, deployment, owner, key, signature_of, accept_simulated=accept_simulated
        )


def _only_key(keys: list[OnChainKey], owner: str) -> bytes:
    from xmtp_tee.client.published import KeyState

    active = [key for key in keys if key.state is KeyState.ACTIVE] or keys
    return _one(owner, [key.identity_key for key in active])


def _one(owner: str, identity_keys: list[bytes]) -> bytes:
    from xmtp_tee.client.chain_errors import NotRegistered

    if not identity_keys:
        raise NotRegistered(
            "the registry holds no bundle of this owner",
            got=owner,
            next_command="xmtp-tee register",
        )
    if len(identity_keys) > 1:
        raise UsageError(
            "the owner has several keys",
            got=", ".join("0x" + key.hex() for key in identity_keys),
            expected="one",
            next_command="pass --identity-key",
        )
    return identity_keys[0]


def _is_address(text: str) -> bool:
    return len(text) == 42 and text.startswith("0x")
