"""Judges an evidence file: offline, or compared with a deployment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.errors import CollateralUnavailableError
from xmtp_tee.attestation.evidence import Attestation
from xmtp_tee.attestation.judge import FRESHNESS, ROOT, judge_attestation
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.quote import parse_quote
from xmtp_tee.attestation.simulator import CollateralRecipe, development_root_certificate
from xmtp_tee.attestation.workload import workload_id
from xmtp_tee.commands.console import Console
from xmtp_tee.commands.options import open_chain
from xmtp_tee.errors import ExitCode, UsageError, XmtpTeeError
from xmtp_tee.verdict import Check, CheckResult, Verdict

DEVELOPMENT = "development"
# The simulator issues its collateral on demand; an hour before, so that no clock is ahead of it.
COLLATERAL_AGE = 3600


@dataclass(frozen=True)
class Expectations:
    """What the evidence is compared with; ``online`` is (rpc url, deployment file) as flags."""

    root: str | None
    collateral: Path | None
    workloads: list[bytes] | None
    chain_id: int | None
    registry: bytes | None
    at: int
    online: tuple[str | None, Path | None] | None
    accept_simulated: bool


def judge(path: Path, expected: Expectations, console: Console) -> Verdict:
    """Return the verdict on the evidence in a file."""
    attestation = Attestation.from_json(_read(path, "evidence").decode(errors="replace"))
    if expected.root is None:
        raise UsageError(
            "evidence is judged under a root, and none is named",
            expected="--root with the vendor's root certificate (DER), or --root development",
            next_command=f"xmtp-tee verify {path} --root development",
        )
    simulated = expected.root == DEVELOPMENT
    root = development_root_certificate() if simulated else _read(Path(expected.root), "root")
    freshness: Check | None = None
    if expected.online is not None:
        expected, freshness = _compare_online(attestation, expected, console)
    verdict = judge_attestation(
        attestation,
        _collateral(expected, simulated, attestation.tee),
        root,
        expected.at,
        expected.workloads,
        expected.chain_id,
        expected.registry,
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


def _collateral(expected: Expectations, simulated: bool, tee: TeeKind) -> Collateral:
    if expected.collateral is not None:
        return Collateral.from_json(
            _read(expected.collateral, "collateral").decode(errors="replace")
        )
    if simulated:
        recipe = CollateralRecipe.sgx() if tee is TeeKind.SGX else CollateralRecipe()
        return recipe.build(expected.at - COLLATERAL_AGE)
    raise CollateralUnavailableError(
        "the vendor's collateral is needed to judge this evidence",
        expected="--collateral with TCB info, QE identity, CRLs and chains (dcap-qvl's JSON form)",
    )


def _compare_online(
    attestation: Attestation, expected: Expectations, console: Console
) -> tuple[Expectations, Check]:
    """Take chain, registry and policy from the deployment, and look the bound block up."""
    rpc_url, deployment = expected.online or (None, None)
    chain, where = open_chain(rpc_url, deployment, console)
    registry = chain.contract("EnclaveRegistry", where.address("EnclaveRegistry"))
    policy = chain.contract("EnclavePolicy", where.address("EnclavePolicy"))
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
        try:
            workload = workload_id(parse_quote(attestation.quote))
        except XmtpTeeError:
            workloads = []
        else:
            trusted = chain.read(policy.functions.isWorkloadTrusted(workload))
            workloads = [workload] if trusted else []
    return replace(
        expected,
        workloads=workloads,
        chain_id=where.chain_id,
        registry=bytes.fromhex(where.address("EnclaveRegistry").removeprefix("0x")),
    ), freshness


def _read(path: Path, what: str) -> bytes:
    try:
        return path.expanduser().read_bytes()
    except OSError as error:
        raise UsageError(
            f"the {what} cannot be read", got=path, cause=error.strerror or type(error).__name__
        ) from error
