"""Judges an evidence file: offline, or compared with a deployment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation import judgement
from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.errors import CollateralUnavailableError
from xmtp_tee.attestation.evidence import Attestation
from xmtp_tee.attestation.judgement import FRESHNESS, ROOT
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.offline import Trust, judge_offline, workload_of_attestation
from xmtp_tee.attestation.sevsnp.product import ProductLine, Tcb
from xmtp_tee.attestation.simulator.trust import development_trust
from xmtp_tee.commands.console import Console
from xmtp_tee.commands.files import read_file, read_root
from xmtp_tee.commands.options import ChainChoice, refuse_unread
from xmtp_tee.errors import ExitCode, UsageError, XmtpTeeError
from xmtp_tee.verdict import Check, CheckResult, Verdict

if TYPE_CHECKING:
    from xmtp_tee.client.chain import Chain
    from xmtp_tee.client.deployment import Deployment

DEVELOPMENT = "development"
AMD = "amd"
"""AMD's keys of every product line are pinned here: there is no one file with them."""


@dataclass(frozen=True)
class Expectations:
    """What the evidence is compared with; ``online`` is the deployment it is compared with."""

    root: str | None
    collateral: Path | None
    workloads: list[bytes] | None
    chain_id: int | None
    registry: bytes | None
    at: int
    online: ChainChoice | None
    accept_simulated: bool
    tcb_floor: Tcb | None = None
    crls: tuple[Path, ...] = ()


def judge(path: Path, expected: Expectations, console: Console) -> Verdict:
    """Return the verdict on the evidence in a file."""
    attestation = Attestation.from_json(read_file(path, "evidence").decode(errors="replace"))
    return judge_attestation(attestation, expected, console)


def judge_attestation(
    attestation: Attestation, expected: Expectations, console: Console
) -> Verdict:
    """Return the verdict on evidence."""
    if expected.root is None:
        raise UsageError(
            "evidence is judged under a root, and none is named",
            expected="--root with the vendor's root certificate, --root amd, or --root development",
        )
    _require_read(expected, attestation.tee)
    trust = _trust(expected, attestation.tee)
    freshness: Check | None = None
    if expected.online is not None:
        chain, deployment = expected.online.connect(console)
        expected, freshness = _compare_online(attestation, expected, chain, deployment)
    verdict = judge_offline(
        attestation,
        trust,
        expected.at,
        judgement.Expectations(expected.workloads, expected.chain_id, expected.registry),
    )
    return _finish(verdict, freshness, accept_simulated=expected.accept_simulated)


def _finish(verdict: Verdict, freshness: Check | None, *, accept_simulated: bool) -> Verdict:
    """Put in what the chain said of the block, and refuse a development root unless it was accepted."""
    checks = []
    for check in verdict.checks:
        if check.name == FRESHNESS and freshness is not None:
            checks.append(replace(freshness, why=check.why))
        elif check.name == ROOT and check.result is CheckResult.WARN and not accept_simulated:
            checks.append(
                replace(check, result=CheckResult.FAIL, exit_code=ExitCode.REFUSED_BY_POLICY)
            )
        else:
            checks.append(check)
    good = not any(check.result is CheckResult.FAIL for check in checks)
    level = verdict.level if good else AssuranceLevel.NONE
    return replace(verdict, checks=tuple(checks), level=level)


def _require_read(expected: Expectations, tee: TeeKind) -> None:
    """Refuse what evidence of this kind is not judged by."""
    dcap = tee in (TeeKind.SGX, TeeKind.TDX)
    if not dcap:
        refuse_unread(f"{tee.label} has no collateral", {"collateral": expected.collateral})
    if tee is not TeeKind.SEV_SNP:
        refuse_unread(f"{tee.label} has no TCB floor", {"tcb-floor": expected.tcb_floor})
    if dcap:
        refuse_unread(f"{tee.label}'s lists are in its collateral", {"crl": expected.crls})


def _trust(expected: Expectations, tee: TeeKind) -> Trust:
    """Return what the evidence is judged by, from the options."""
    floors = {} if expected.tcb_floor is None else dict.fromkeys(ProductLine, expected.tcb_floor)
    crls = tuple(read_file(path, "revocation list") for path in expected.crls)
    if expected.root == DEVELOPMENT:
        trust = replace(development_trust(tee, expected.at), crls=crls)
        if expected.collateral is not None:
            trust = replace(trust, collateral=_collateral(expected.collateral))
        return replace(trust, floors=floors) if floors else trust
    if tee is TeeKind.SEV_SNP:
        if expected.root != AMD:
            raise UsageError(
                "SEV-SNP evidence is judged under AMD's keys of its product line",
                got=expected.root,
                expected="--root amd, or --root development",
            )
        return Trust(floors=floors, crls=crls)
    root = read_root(Path(str(expected.root)))
    if tee is TeeKind.NITRO:
        return Trust(root=root, crls=crls)
    if expected.collateral is None:
        raise CollateralUnavailableError(
            "the vendor's collateral is needed to judge this evidence",
            expected="--collateral with TCB info, QE identity, CRLs and chains (dcap-qvl's JSON form)",
        )
    return Trust(root=root, collateral=_collateral(expected.collateral))


def _collateral(path: Path) -> Collateral:
    return Collateral.from_json(read_file(path, "collateral").decode(errors="replace"))


def _compare_online(
    attestation: Attestation, expected: Expectations, chain: Chain, where: Deployment
) -> tuple[Expectations, Check]:
    """Take chain, registry and policy from the deployment, and look the bound block up."""
    registry = chain.contract("EnclaveRegistry", where.address("EnclaveRegistry"))
    limit = int(chain.read(registry.functions.maxBlockAge()))
    age = chain.block().number - attestation.block_number
    on_chain = chain.block(attestation.block_number).hash if age >= 0 else None
    if on_chain is None or on_chain != attestation.block_hash:
        got = "in the future" if on_chain is None else "another hash on chain"
        freshness = Check(FRESHNESS, CheckResult.FAIL, got, f"0x{attestation.block_hash.hex()}")
    else:
        freshness = Check(
            FRESHNESS,
            CheckResult.PASS if age <= limit else CheckResult.FAIL,
            f"block {attestation.block_number}, {age} blocks old",
            f"at most {limit} blocks old",
            exit_code=ExitCode.REFUSED_BY_POLICY,
        )
    workloads = expected.workloads
    if workloads is None:
        workloads = trusted_workloads(chain, where, attestation)
    return replace(
        expected,
        workloads=workloads,
        chain_id=where.chain_id,
        registry=bytes.fromhex(where.address("EnclaveRegistry").removeprefix("0x")),
    ), freshness


def trusted_workloads(chain: Chain, where: Deployment, attestation: Attestation) -> list[bytes]:
    """Return the workload that evidence states, if the deployment's policy trusts it; else none."""
    policy = chain.contract("EnclavePolicy", where.address("EnclavePolicy"))
    try:
        workload = workload_of_attestation(attestation)
    except XmtpTeeError:
        return []
    return [workload] if chain.read(policy.functions.isWorkloadTrusted(workload)) else []


def read_tcb(text: str) -> Tcb:
    """Return the TCB that ``--tcb-floor`` names: boot loader, TEE, SNP, microcode, and Turin's FMC."""
    parts = text.split(",")
    if len(parts) not in (4, 5) or not all(part.isdecimal() and int(part) < 256 for part in parts):
        raise UsageError(
            "--tcb-floor names no TCB", got=text, expected="four or five numbers from 0 to 255"
        )
    return Tcb(*(int(part) for part in parts))
