"""``xmtp-tee verify``: the verdict on evidence from files or of an enclave, or on an owner's entry on chain."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xmtp_tee.commands.by_kind import ByKind
from xmtp_tee.commands.console import Console
from xmtp_tee.commands.options import (
    ChainChoice,
    chain_options,
    gathered,
    hex_bytes,
    json_option,
    refuse_unread,
    socket_option,
)
from xmtp_tee.commands.owners import is_agent
from xmtp_tee.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from xmtp_tee.attestation.several import Judged
    from xmtp_tee.commands.evidence_file import Expectations
    from xmtp_tee.verdict import Verdict


@dataclass(frozen=True, slots=True)
class EvidenceOptions:
    """What evidence is judged by; nothing of it says anything of an owner's entry."""

    enclave: bool
    require: int | None
    root: tuple[str, ...]
    tcb_floor: str | None
    collateral: tuple[str, ...]
    crl: tuple[str, ...]
    workload: tuple[str, ...]
    chain_id: int | None
    registry: str | None
    at: int | None
    online: bool

    def expectations(self, where: ChainChoice, *, accept_simulated: bool) -> Expectations:
        """Read the options.

        :raises UsageError: one is malformed, or says nothing beside another
        """
        from xmtp_tee.commands import evidence_file

        if self.online:
            refuse_unread(
                "With --online the deployment says which chain and registry",
                {"chain-id": self.chain_id, "registry": self.registry},
            )
        else:
            refuse_unread(
                "No chain is asked of evidence without --online",
                {"rpc-url": where.rpc_url, "deployment": where.deployment},
            )
        return evidence_file.Expectations(
            roots=ByKind.read("root", self.root),
            collaterals=ByKind.read("collateral", self.collateral),
            crls=ByKind.read("crl", self.crl),
            workloads=[hex_bytes(text, "--workload", 32) for text in self.workload] or None,
            chain_id=self.chain_id,
            registry=None if self.registry is None else hex_bytes(self.registry, "--registry", 20),
            at=int(time.time()) if self.at is None else self.at,
            online=where if self.online else None,
            accept_simulated=accept_simulated,
            tcb_floor=None if self.tcb_floor is None else evidence_file.read_tcb(self.tcb_floor),
        )


def evidence_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What evidence is judged by: the command gets ``evidence``."""
    return gathered(
        function,
        "evidence",
        EvidenceOptions,
        (
            click.option(
                "--enclave",
                is_flag=True,
                help="In the place of a FILE: ask the enclave on the socket for evidence of all its kinds of TEE.",
            ),
            click.option(
                "--require",
                type=click.IntRange(min=1),
                metavar="K",
                help="At least K kinds of TEE must verify, and vouch for the same keys. Default: all that are given.",
            ),
            click.option(
                "--root",
                multiple=True,
                metavar="[KIND=]development|amd|FILE",
                help="The pinned root of a FILE: the development root, AMD's keys, or the vendor's certificate. "
                "KIND (sgx, tdx, nitro, sev-snp) where kinds have different ones.",
            ),
            click.option(
                "--tcb-floor",
                metavar="BL,TEE,SNP,UCODE[,FMC]",
                help="SEV-SNP: the least TCB that counts as up to date, component by component.",
            ),
            click.option(
                "--collateral",
                multiple=True,
                metavar="[KIND=]PATH",
                help="SGX, TDX: the platform's collateral (dcap-qvl's JSON); the development root has its own.",
            ),
            click.option(
                "--crl",
                multiple=True,
                metavar="[KIND=]PATH",
                help="Nitro, SEV-SNP: a revocation list of the vendor's (DER). Repeat it for every issuer.",
            ),
            click.option(
                "--workload", multiple=True, metavar="HEX", help="Expect this workload id."
            ),
            click.option(
                "--chain-id", type=click.IntRange(min=1), help="Expect evidence for this chain."
            ),
            click.option(
                "--registry", metavar="ADDRESS", help="Expect evidence for this EnclaveRegistry."
            ),
            click.option(
                "--at",
                # Up to the year 3000: who gives milliseconds learns it here.
                type=click.IntRange(min=86_400, max=32_503_680_000),
                metavar="SECONDS",
                help="Judge at this unix time, in seconds.",
            ),
            click.option(
                "--online",
                is_flag=True,
                help="Compare a FILE with the deployment: chain, registry, policy, and the bound block.",
            ),
        ),
    )


@click.command(
    epilog="Exit codes: 0 verified; 1 usage; 2 invalid evidence, or no record; 3 network or collateral "
    "unavailable; 4 genuine but refused by policy (debug, TCB, expired, simulated, too few kinds)."
)
@click.argument("subjects", metavar="FILE...|OWNER", nargs=-1)
@evidence_options
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
    subjects: tuple[str, ...],
    evidence: EvidenceOptions,
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

    Several FILEs, or --enclave, are the kinds of TEE behind one enclave: each is judged on its own, all must vouch
    for the same keys, and a kind counts once.
    """
    owner = _owner_among(subjects)
    if evidence.enclave == bool(subjects):
        raise UsageError(
            "there is one thing to verify",
            got="--enclave and a FILE or OWNER" if subjects else "nothing",
            expected="FILEs, an OWNER, or --enclave",
        )
    if owner is None:
        refuse_unread(
            "Evidence has no entry on chain",
            {"trusted-block": trusted_block, "identity-key": identity_key},
        )
        expected = evidence.expectations(where, accept_simulated=unsafe_accept_simulated)
        verdict, kinds = _judge_evidence(subjects, evidence, expected, socket, console)
        console.verdict(verdict, explain=explain, kinds=kinds)
    else:
        verdict = _judge_owner(
            owner,
            evidence,
            identity_key,
            trusted_block,
            socket,
            where,
            console,
            accept_simulated=unsafe_accept_simulated,
        )
        console.verdict(verdict, explain=explain)
    if verdict.exit_code is not ExitCode.VERIFIED:
        raise click.exceptions.Exit(int(verdict.exit_code))


def _judge_evidence(
    subjects: tuple[str, ...],
    options: EvidenceOptions,
    expected: Expectations,
    socket: Path | None,
    console: Console,
) -> tuple[Verdict, list[Judged]]:
    """Return the verdict, and the kinds that were judged together for it, if they were."""
    from xmtp_tee.commands import evidence_file

    if options.enclave:
        found, expected = evidence_file.ask_enclave(socket, expected, console)
    else:
        refuse_unread("No enclave is asked of a FILE", {"socket": socket})
        found = evidence_file.read_evidence([Path(each) for each in subjects])
    verdict, judged = evidence_file.judge(found, expected, console, options.require)
    return verdict, [] if verdict is judged[0].verdict else judged


def _judge_owner(
    owner: str,
    evidence: EvidenceOptions,
    identity_key: str | None,
    trusted_block: str | None,
    socket: Path | None,
    where: ChainChoice,
    console: Console,
    *,
    accept_simulated: bool,
) -> Verdict:
    from xmtp_tee.commands import owner_entry

    refuse_unread("An OWNER's entry is judged by what the chain verified", asdict(evidence))
    if trusted_block is None:
        return owner_entry.judge_owner(
            owner, identity_key, socket, where, console, accept_simulated=accept_simulated
        )
    refuse_unread("With --trusted-block no enclave is asked", {"socket": socket})
    return owner_entry.judge_proven_owner(
        owner, identity_key, trusted_block, where, console, accept_simulated=accept_simulated
    )


def _owner_among(subjects: tuple[str, ...]) -> str | None:
    """Return the OWNER, None where files are named; a file of that name goes first.

    :raises UsageError: an OWNER beside something else
    """
    owners = [each for each in subjects if _is_owner(each) and not os.path.lexists(each)]
    if owners and len(subjects) > 1:
        raise UsageError(
            "an OWNER is verified alone",
            got=" ".join(subjects)[:200],
            expected="FILEs, or one OWNER",
        )
    return owners[0] if owners else None


def _is_owner(text: str) -> bool:
    return (len(text) == 42 and text.startswith("0x")) or is_agent(text)
