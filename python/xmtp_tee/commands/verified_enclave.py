"""The enclave on a connection is verified before it gets a password, a share or a data key."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xmtp_tee.commands.by_kind import ByKind
from xmtp_tee.commands.console import Console
from xmtp_tee.commands.options import ChainChoice, gathered, hex_bytes, refuse_unread
from xmtp_tee.errors import UsageError

if TYPE_CHECKING:
    from xmtp_tee.client.key_manager import KeyManager

_FILE = click.Path(path_type=Path, dir_okay=False)


@dataclass(frozen=True, slots=True)
class EnclaveTrust:
    """What the options say of the enclave that may get a secret."""

    root: str | None
    collateral: Path | None
    crl: tuple[Path, ...]
    tcb_floor: str | None
    workload: tuple[str, ...]
    policy_on_chain: bool
    rpc_url: str | None
    deployment: Path | None
    unsafe_accept_simulated: bool
    unsafe_unverified_enclave: bool

    def require_unread(self, why: str) -> None:
        """Refuse what was given, where nothing of it is read.

        :raises UsageError: something was given
        """
        refuse_unread(why, {field.name: getattr(self, field.name) for field in fields(self)})


def enclave_trust_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """By what the enclave is verified before it gets a secret: the command gets ``trust``."""
    options = (
        click.option(
            "--root",
            metavar="development|amd|FILE",
            help="The root under which the enclave is verified before it gets a secret.",
        ),
        click.option(
            "--collateral", type=_FILE, help="The platform's collateral (dcap-qvl's JSON)."
        ),
        click.option(
            "--crl",
            multiple=True,
            type=_FILE,
            help="Nitro, SEV-SNP: a revocation list of the vendor's.",
        ),
        click.option(
            "--tcb-floor",
            metavar="BL,TEE,SNP,UCODE[,FMC]",
            help="SEV-SNP: the least TCB that counts as up to date.",
        ),
        click.option("--workload", multiple=True, metavar="HEX", help="Believe this code."),
        click.option(
            "--policy-on-chain",
            is_flag=True,
            help="Believe the code that the deployment's EnclavePolicy lists.",
        ),
        click.option(
            "--rpc-url",
            metavar="URL",
            help="With --policy-on-chain: the chain's node. [env: XMTP_TEE_RPC_URL, ETH_RPC_URL]",
        ),
        click.option(
            "--deployment",
            type=click.Path(path_type=Path),
            help="With --policy-on-chain: the deployment file. [env: XMTP_TEE_DEPLOYMENT]",
        ),
        click.option("--unsafe-accept-simulated", is_flag=True, help="Accept a development root."),
        click.option(
            "--unsafe-unverified-enclave",
            is_flag=True,
            help="Give the secret to whoever answers on the socket.",
        ),
    )
    return gathered(function, "trust", EnclaveTrust, options)


def require_verified_enclave(manager: KeyManager, trust: EnclaveTrust, console: Console) -> None:
    """Verify the enclave on this connection by evidence that it makes now, over random bytes.

    Genuine hardware runs any code: without a list of trusted code nothing is verified.

    :raises UsageError: no root, or no code that is trusted
    :raises EnclaveNotVerifiedError: the evidence does not verify, or is of other code
    """
    if trust.unsafe_unverified_enclave:
        given = {each.name: getattr(trust, each.name) for each in fields(trust)}
        del given["unsafe_unverified_enclave"]
        refuse_unread("--unsafe-unverified-enclave verifies nothing", given)
        return
    if trust.root is None:
        raise UsageError(
            "The enclave would get a secret, and nothing says under which root to verify it",
            expected="--root, or --unsafe-unverified-enclave",
        )
    if bool(trust.workload) == trust.policy_on_chain:
        raise UsageError(
            "The enclave would get a secret, and one list must say which code may have it",
            got="--workload and --policy-on-chain" if trust.workload else "neither",
            expected="--workload (`xmtp-tee attest` and `xmtp-tee verify` show it), or --policy-on-chain",
        )
    if not trust.policy_on_chain:
        refuse_unread(
            "No chain is asked without --policy-on-chain",
            {"rpc_url": trust.rpc_url, "deployment": trust.deployment},
        )
    from xmtp_tee.commands import evidence_file

    attestation = manager.get_attestation(
        chain_id=1, enclave_registry=b"\x01" * 20, block_number=0, block_hash=os.urandom(32)
    )
    workloads = [hex_bytes(each, "--workload", 32) for each in trust.workload]
    if trust.policy_on_chain:
        chain, deployment = ChainChoice(trust.rpc_url, trust.deployment).connect(console)
        workloads = evidence_file.trusted_workloads(chain, deployment, attestation)
    expected = evidence_file.Expectations(
        roots=ByKind("root", ((None, trust.root),)),
        collaterals=ByKind("collateral", _for_all(trust.collateral)),
        crls=ByKind("crl", _for_all(*trust.crl)),
        workloads=workloads,
        chain_id=None,
        registry=None,
        at=int(time.time()),
        online=None,
        accept_simulated=trust.unsafe_accept_simulated,
        tcb_floor=None if trust.tcb_floor is None else evidence_file.read_tcb(trust.tcb_floor),
    )
    verdict, _ = evidence_file.judge([attestation], expected, console)
    manager.accept_verdict(attestation, verdict)


def _for_all(*paths: Path | None) -> tuple[tuple[None, str], ...]:
    """The enclave attests itself by one kind here: what is named is for that one."""
    return tuple((None, str(path)) for path in paths if path is not None)
