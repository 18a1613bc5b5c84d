"""Judges evidence, of one kind of TEE or of several behind one enclave: offline, or compared with a deployment."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation import judgement
from xmtp_tee.attestation.address import parse_address
from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.errors import AttestationMalformedError, CollateralUnavailableError
from xmtp_tee.attestation.evidence import Attestation
from xmtp_tee.attestation.judgement import BINDING, FRESHNESS, ROOT
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.offline import Trust, judge_offline, workload_of_attestation
from xmtp_tee.attestation.several import Demand, Judged, judge_several
from xmtp_tee.attestation.sevsnp.product import ProductLine, Tcb
from xmtp_tee.attestation.simulator.trust import development_trust
from xmtp_tee.commands.by_kind import ByKind, kind_named
from xmtp_tee.commands.console import Console
from xmtp_tee.commands.files import read_file, read_root
from xmtp_tee.commands.options import ChainChoice, open_keys, refuse_unread
from xmtp_tee.errors import ExitCode, UsageError, XmtpTeeError
from xmtp_tee.verdict import Check, CheckResult, Verdict

if TYPE_CHECKING:
    from xmtp_tee.client.chain import Chain
    from xmtp_tee.client.deployment import Deployment

DEVELOPMENT = "development"
AMD = "amd"
"""AMD's keys of every product line are pinned here: there is no one file with them."""
_DCAP = (TeeKind.SGX, TeeKind.TDX)
_LISTS = (TeeKind.NITRO, TeeKind.SEV_SNP)


@dataclass(frozen=True)
class Expectations:
    """What evidence is judged by and compared with.

    ``registry`` is 20 bytes, a workload 32; ``at`` unix seconds. ``online``: the deployment that says which chain,
    registry and policy, and whether the bound block is recent. ``nonce``: 32 random bytes that this process drew and
    the evidence must bind as its block's hash, which shows that it was made now.

    :raises UsageError: no root is named
    """

    roots: ByKind
    collaterals: ByKind
    crls: ByKind
    workloads: list[bytes] | None
    chain_id: int | None
    registry: bytes | None
    at: int
    online: ChainChoice | None
    accept_simulated: bool
    tcb_floor: Tcb | None = None
    nonce: bytes | None = None

    def __post_init__(self) -> None:
        if not self.roots.values:
            raise UsageError(
                "evidence is judged under a root, and none is named",
                expected="--root with the vendor's root certificate, --root amd, or --root development",
            )

    def require_read(self, kinds: Sequence[TeeKind]) -> None:
        """Refuse what evidence of these kinds is not judged by.

        :raises UsageError: an option says nothing
        """
        self.roots.require_read(kinds, kinds)
        self.collaterals.require_read(kinds, _DCAP)
        self.crls.require_read(kinds, _LISTS)
        if TeeKind.SEV_SNP not in kinds:
            refuse_unread("Only SEV-SNP has a TCB floor", {"tcb-floor": self.tcb_floor})


def read_evidence(paths: Sequence[Path]) -> list[Attestation]:
    """Read evidence files.

    :raises UsageError: a file cannot be read
    :raises AttestationMalformedError: it holds no evidence
    """
    found = []
    for path in paths:
        text = read_file(path, "evidence").decode(errors="replace")
        try:
            found.append(Attestation.from_json(text))
        except AttestationMalformedError as error:
            raise AttestationMalformedError(
                error.message,
                got=f"{path}: {error.got}" if error.got else path,
                expected=error.expected,
                cause=error.cause,
            ) from error
    return found


def ask_enclave(
    socket: Path | None, expected: Expectations, console: Console
) -> tuple[list[Attestation], Expectations]:
    """Have the enclave on the socket attest itself by every kind of TEE that it has, now.

    With a deployment the evidence binds it and a recent block, else random bytes in the block's place.
    """
    nonce = None
    if expected.online is not None:
        chain, deployment = expected.online.connect(console)
        from xmtp_tee.client.registry import recent_block

        block = recent_block(chain)
        number, bound = block.number, block.hash
        chain_id, registry = deployment.chain_id, deployment.address("EnclaveRegistry")
    else:
        nonce = bound = os.urandom(32)
        number, chain_id = 0, expected.chain_id or 1
        registry = "0x" + (expected.registry or b"\x01" * 20).hex()
    with open_keys(socket) as keys, console.progress("quoting"):
        info = keys.info()
        found = [
            keys.get_attestation(
                chain_id=chain_id,
                enclave_registry=registry,
                block_number=number,
                block_hash=bound,
                tee=kind_named(label),
            )
            for label in (info.tee, *info.further_tees)
        ]
    return found, replace(expected, nonce=nonce)


def judge(
    attestations: Sequence[Attestation],
    expected: Expectations,
    console: Console,
    required: int | None = None,
) -> tuple[Verdict, list[Judged]]:
    """Return the verdict, and what was judged kind by kind.

    One piece of evidence is judged by itself. Several, or one where ``required`` kinds are asked for, are judged
    together: ``required`` of them must verify, all where it is None.

    :raises UsageError: an option is missing, or says nothing of this evidence
    :raises CollateralUnavailableError: SGX or TDX without collateral
    """
    kinds = [each.tee for each in attestations]
    expected.require_read(kinds)
    trusts = [_trust(expected, kind) for kind in kinds]
    online = None if expected.online is None else _Online.connect(expected.online, console)
    with console.progress("verifying"):
        judged = [
            Judged(each, _judge_one(each, trust, expected, online))
            for each, trust in zip(attestations, trusts, strict=True)
        ]
    if required is None and len(judged) == 1:
        return judged[0].verdict, judged
    policy = None if online is None else online.demand()
    return judge_several(judged, required or len(judged), expected.at, policy), judged


def _judge_one(
    attestation: Attestation, trust: Trust, expected: Expectations, online: _Online | None
) -> Verdict:
    freshness: Check | None = None
    if online is not None:
        expected, freshness = online.compare(attestation, expected)
    verdict = judge_offline(
        attestation,
        trust,
        expected.at,
        judgement.Expectations(expected.workloads, expected.chain_id, expected.registry),
    )
    if expected.nonce == attestation.block_hash and verdict.passed(BINDING):
        freshness = Check(FRESHNESS, CheckResult.PASS, "made now, over random bytes of this call")
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


def _trust(expected: Expectations, tee: TeeKind) -> Trust:
    """Return what evidence of this kind is judged by, from the options."""
    floors = {} if expected.tcb_floor is None else dict.fromkeys(ProductLine, expected.tcb_floor)
    root, collateral = expected.roots.one(tee), None
    if tee in _DCAP:
        named = expected.collaterals.one(tee)
        collateral = None if named is None else _collateral(Path(named))
    lists = expected.crls.of(tee) if tee in _LISTS else ()
    crls = tuple(read_file(Path(path), "revocation list") for path in lists)
    if root is None:
        raise UsageError(
            "evidence is judged under a root, and none is named for this kind",
            got=tee.label,
            expected=f"--root {tee.label}=...",
        )
    if root == DEVELOPMENT:
        trust = replace(development_trust(tee, expected.at), crls=crls)
        if collateral is not None:
            trust = replace(trust, collateral=collateral)
        return replace(trust, floors=floors) if floors else trust
    if tee is TeeKind.SEV_SNP:
        if root != AMD:
            raise UsageError(
                "SEV-SNP evidence is judged under AMD's keys of its product line",
                got=root,
                expected="--root amd, or --root development",
            )
        return Trust(floors=floors, crls=crls)
    certificate = read_root(Path(root))
    if tee is TeeKind.NITRO:
        return Trust(root=certificate, crls=crls)
    if collateral is None:
        raise CollateralUnavailableError(
            "the vendor's collateral is needed to judge this evidence",
            got=tee.label,
            expected="--collateral with TCB info, QE identity, CRLs and chains (dcap-qvl's JSON form)",
        )
    return Trust(root=certificate, collateral=collateral)


def _collateral(path: Path) -> Collateral:
    return Collateral.from_json(read_file(path, "collateral").decode(errors="replace"))


@dataclass(frozen=True)
class _Online:
    """A deployment that evidence is compared with. ``max_age``: of the bound block, in blocks; ``head`` the newest."""

    chain: Chain
    deployment: Deployment
    max_age: int
    head: int

    @classmethod
    def connect(cls, where: ChainChoice, console: Console) -> _Online:
        chain, deployment = where.connect(console)
        registry = chain.contract("EnclaveRegistry", deployment.address("EnclaveRegistry"))
        max_age = int(chain.read(registry.functions.maxBlockAge()))
        return cls(chain, deployment, max_age, chain.block().number)

    def compare(
        self, attestation: Attestation, expected: Expectations
    ) -> tuple[Expectations, Check]:
        """Take chain, registry and policy from the deployment, and look the bound block up."""
        workloads = expected.workloads
        if workloads is None:
            workloads = trusted_workloads(self.chain, self.deployment, attestation)
        return replace(
            expected,
            workloads=workloads,
            chain_id=self.deployment.chain_id,
            registry=parse_address(self.deployment.address("EnclaveRegistry").lower()),
        ), self._freshness(attestation)

    def demand(self) -> Demand | None:
        """Return how many of which kinds the deployment's policy demands; None for no number."""
        from xmtp_tee.client.registry_reader import RegistryReader

        found = RegistryReader(self.chain, self.deployment).tee_demand()
        return Demand(found.required, found.kinds) if found.required else None

    def _freshness(self, attestation: Attestation) -> Check:
        age = self.head - attestation.block_number
        on_chain = self.chain.block(attestation.block_number).hash if age >= 0 else None
        if on_chain is None or on_chain != attestation.block_hash:
            got = "in the future" if on_chain is None else "another hash on chain"
            return Check(FRESHNESS, CheckResult.FAIL, got, f"0x{attestation.block_hash.hex()}")
        return Check(
            FRESHNESS,
            CheckResult.PASS if age <= self.max_age else CheckResult.FAIL,
            f"block {attestation.block_number}, {age} blocks old",
            f"at most {self.max_age} blocks old",
            exit_code=ExitCode.REFUSED_BY_POLICY,
        )


def trusted_workloads(chain: Chain, where: Deployment, attestation: Attestation) -> list[bytes]:
    """Return the workload that evidence states, if the deployment's policy trusts it; else none."""
    policy = chain.contract("EnclavePolicy", where.address("EnclavePolicy"))
    try:
        workload = workload_of_attestation(attestation)
    except XmtpTeeError:
        return []
    return [workload] if chain.read(policy.functions.isWorkloadTrusted(workload)) else []


def read_tcb(text: str) -> Tcb:
    """Return the TCB that ``--tcb-floor`` names: boot loader, TEE, SNP, microcode, and Turin's FMC.

    :raises UsageError: it names none
    """
    parts = text.split(",")
    numbers = [int(part) for part in parts if re.fullmatch("[0-9]{1,3}", part)]
    if len(parts) not in (4, 5) or len(numbers) != len(parts) or max(numbers) > 255:
        raise UsageError(
            "--tcb-floor names no TCB",
            got=text[:80],
            expected="four or five numbers from 0 to 255",
        )
    return Tcb(*numbers)
