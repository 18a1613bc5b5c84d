"""The verdict: a line per link, and what each failure does to the lines behind it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.attestation.sevsnp.support import (
    ANCHORS,
    ANY_STATUS,
    FLOORS,
    GENUINE_DEBUG,
    GENUINE_VLEK,
    GENUINE_VLEK_AT,
    MILAN,
    NO_FLOOR,
    NOW,
    REPORT,
    VLEK,
    attestation,
    endorsed,
    genuine_evidence,
    recipe,
)
from tests.attestation.support import BINDING, Genuine
from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation import Attestation
from xmtp_tee.attestation.errors import CollateralUnavailableError, DebugEnabledError, FieldError
from xmtp_tee.attestation.judgement import Expectations
from xmtp_tee.attestation.kinds import TcbStatus
from xmtp_tee.attestation.offline import (
    Trust,
    judge_offline,
    verify_offline,
    workload_of_attestation,
)
from xmtp_tee.attestation.sevsnp.judge import LINES
from xmtp_tee.attestation.sevsnp.product import ProductLine, Tcb
from xmtp_tee.attestation.sevsnp.report import REPORT_SIZE
from xmtp_tee.attestation.simulator.sevsnp.report import POLICY_RESERVED
from xmtp_tee.errors import ExitCode
from xmtp_tee.verdict import CheckResult, Verdict

WORKLOAD = workload_of_attestation(attestation())
EVERYTHING = Expectations([WORKLOAD], BINDING.chain_id, BINDING.enclave_registry)
TRUST = Trust(floors=FLOORS, anchors=ANCHORS)


def judge(
    report: Any = REPORT, expected: Expectations = EVERYTHING, trust: Trust = TRUST
) -> Verdict:
    """The verdict under the development keys."""
    return judge_offline(attestation(report), trust, NOW, expected)


def results(verdict: Verdict) -> dict[str, CheckResult]:
    """The outcome of each line."""
    return {check.name: check.result for check in verdict.checks}


@pytest.mark.parametrize("report", [REPORT, recipe(endorsed=VLEK)])
def test_a_genuine_report_passes_every_line_but_revocation_and_freshness_and_warns_of_its_root(
    report: Any,
) -> None:
    verdict = judge(report)
    assert tuple(check.name for check in verdict.checks) == LINES
    assert {
        name for name, result in results(verdict).items() if result is not CheckResult.PASS
    } == {
        "revocation",
        "block freshness",
        "root",
    }
    assert results(verdict)["revocation"] is CheckResult.NOT_CHECKED
    assert results(verdict)["block freshness"] is CheckResult.NOT_CHECKED
    assert results(verdict)["root"] is CheckResult.WARN
    assert verdict.level is AssuranceLevel.SIMULATED
    assert verdict.exit_code is ExitCode.VERIFIED
    assert all(check.why for check in verdict.checks)


@pytest.mark.parametrize(
    ("report", "line", "exit_code"),
    [
        (REPORT[:100], "quote format", ExitCode.INVALID_EVIDENCE),
        (REPORT[:REPORT_SIZE], "quote format", ExitCode.UNAVAILABLE),
        (endorsed(not_after=NOW - 1), "certificates", ExitCode.REFUSED_BY_POLICY),
        (endorsed(signer=MILAN.rsa("ark")), "certificates", ExitCode.INVALID_EVIDENCE),
        (recipe(chip_id=bytes(64)), "platform", ExitCode.INVALID_EVIDENCE),
        (recipe(signer=MILAN.p384("stranger")), "signatures", ExitCode.INVALID_EVIDENCE),
        (
            endorsed(tcb=Tcb(boot_loader=3, snp=24, microcode=219)),
            "TCB level",
            ExitCode.REFUSED_BY_POLICY,
        ),
        (recipe(policy=POLICY_RESERVED | 1 << 19), "debug off", ExitCode.REFUSED_BY_POLICY),
        (recipe(policy=POLICY_RESERVED | 1 << 18), "debug off", ExitCode.REFUSED_BY_POLICY),
        (recipe(measurement=bytes(48)), "workload", ExitCode.REFUSED_BY_POLICY),
        (recipe(report_data=bytes(64)), "report data", ExitCode.INVALID_EVIDENCE),
    ],
)
def test_a_failure_stands_in_its_own_line(report: Any, line: str, exit_code: ExitCode) -> None:
    verdict = judge(report)
    failed = next(check for check in verdict.checks if check.name == line)
    assert failed.result is CheckResult.FAIL
    assert failed.exit_code is exit_code
    assert verdict.level is AssuranceLevel.NONE
    assert verdict.exit_code is not ExitCode.VERIFIED


@pytest.mark.parametrize(
    "report", [recipe(chip_id=bytes(64)), recipe(signer=MILAN.p384("stranger"))]
)
def test_nothing_behind_a_broken_signature_is_believed(report: Any) -> None:
    lines = results(judge(report))
    for name in ("TCB level", "debug off", "workload", "report data", "chain", "registry"):
        assert lines[name] is CheckResult.NOT_CHECKED


def test_an_unpinned_root_is_not_called_a_root() -> None:
    lines = results(judge(trust=Trust(floors=FLOORS)))
    assert lines["certificates"] is CheckResult.FAIL
    assert lines["root"] is CheckResult.NOT_CHECKED


def test_an_accepted_lower_level_is_a_warning() -> None:
    low = endorsed(tcb=Tcb(boot_loader=3, snp=24, microcode=219))
    verdict = judge(low, trust=replace(TRUST, accept=ANY_STATUS))
    assert results(verdict)["TCB level"] is CheckResult.WARN
    assert verdict.exit_code is ExitCode.VERIFIED
    with pytest.raises(FieldError):
        judge(trust=replace(TRUST, accept={TcbStatus.REVOKED}))


def test_a_missing_floor_fails_the_level() -> None:
    verdict = judge(trust=Trust(floors={ProductLine.TURIN: Tcb()}, anchors=ANCHORS))
    assert [check.name for check in verdict.failed] == ["TCB level"]


@pytest.mark.parametrize(
    ("expected", "line"),
    [
        (replace(EVERYTHING, workloads=[]), "workload"),
        (replace(EVERYTHING, chain_id=1), "chain"),
        (replace(EVERYTHING, registry=bytes(20)), "registry"),
    ],
)
def test_evidence_for_somebody_else_fails(expected: Expectations, line: str) -> None:
    assert [check.name for check in judge(expected=expected).failed] == [line]


def test_genuine_evidence_passes_under_amds_root_without_a_warning(genuine: Genuine) -> None:
    trust = Trust(floors=NO_FLOOR)
    raw = genuine_evidence(genuine, GENUINE_VLEK).encode()
    lines = results(judge_offline(attestation(raw), trust, GENUINE_VLEK_AT))
    assert {
        lines[name] for name in ("root", "certificates", "platform", "signatures", "TCB level")
    } == {CheckResult.PASS}
    # It binds something of its owner's, not a transport key of ours.
    assert lines["report data"] is CheckResult.FAIL
    debug = genuine_evidence(genuine, GENUINE_DEBUG).encode()
    lines = results(judge_offline(attestation(debug), trust, GENUINE_VLEK_AT))
    assert lines["signatures"] is CheckResult.PASS
    assert lines["debug off"] is CheckResult.FAIL


def test_programs_get_the_first_failure_as_its_typed_error() -> None:
    assert verify_offline(attestation(), TRUST, NOW, EVERYTHING) == judge()
    assert Attestation.from_json(attestation().to_json()) == attestation()
    with pytest.raises(CollateralUnavailableError):
        verify_offline(attestation(REPORT[:REPORT_SIZE]), TRUST, NOW)
    with pytest.raises(DebugEnabledError):
        verify_offline(attestation(recipe(policy=POLICY_RESERVED | 1 << 19)), TRUST, NOW)
