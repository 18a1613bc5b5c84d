"""The verdict: a line per link of the chain of proof, and nothing that was skipped passes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.attestation.support import (
    BINDING,
    COLLATERAL,
    DAY,
    ISSUED_AT,
    NOW,
    QUOTE,
    RECIPE,
    ROOT,
    Genuine,
    attestation,
    enclave,
    flipped,
    td,
)
from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation import (
    Attestation,
    Collateral,
    TcbStatus,
    TeeKind,
    judge_attestation,
    parse_quote,
    verify_attestation,
    workload_id,
)
from xmtp_tee.attestation import judge as lines
from xmtp_tee.attestation.errors import (
    BindingMismatchError,
    CertificateRevokedError,
    CollateralLapsedError,
    DebugEnabledError,
    FieldError,
    QuoteMalformedError,
    QuoteNotGenuineError,
    QuotingEnclaveRefusedError,
    TcbStatusRefusedError,
    TeeTypeUnsupportedError,
    WorkloadNotTrustedError,
)
from xmtp_tee.attestation.simulator import (
    CollateralRecipe,
    QuoteRecipe,
    SgxRecipe,
    TcbInfoRecipe,
    TcbLevel,
    TdRecipe,
    development_pki,
)
from xmtp_tee.errors import ExitCode, XmtpTeeError
from xmtp_tee.verdict import CheckResult, Verdict

WORKLOAD = workload_id(parse_quote(QUOTE))
COMPLETE: dict[str, Any] = {
    "expected_workloads": [WORKLOAD],
    "expected_chain_id": BINDING.chain_id,
    "expected_registry": BINDING.enclave_registry,
}
PASS, WARN, FAIL, OPEN = (
    CheckResult.PASS,
    CheckResult.WARN,
    CheckResult.FAIL,
    CheckResult.NOT_CHECKED,
)


def judge(
    evidence: Attestation | None = None,
    collateral: Collateral = COLLATERAL,
    now: int = NOW,
    **options: Any,
) -> Verdict:
    return judge_attestation(
        evidence or attestation(), collateral, ROOT, now, **{**COMPLETE, **options}
    )


def results(verdict: Verdict) -> dict[str, CheckResult]:
    return {check.name: check.result for check in verdict.checks}


def refuse(
    expected: type[XmtpTeeError],
    evidence: Attestation | None = None,
    collateral: Collateral = COLLATERAL,
    now: int = NOW,
    **options: Any,
) -> None:
    with pytest.raises(expected):
        verify_attestation(
            evidence or attestation(), collateral, ROOT, now, **{**COMPLETE, **options}
        )


def test_judge_attestation_of_genuine_evidence_passes_every_line_it_can() -> None:
    verdict = judge()
    assert results(verdict) == {
        name: {lines.ROOT: WARN, lines.FRESHNESS: OPEN}.get(name, PASS) for name in lines.LINES
    }
    assert verdict.exit_code is ExitCode.VERIFIED
    assert verdict.level is AssuranceLevel.SIMULATED
    assert verify_attestation(attestation(), COLLATERAL, ROOT, NOW, **COMPLETE) == verdict


@pytest.mark.parametrize("name", ["SGX quote, version 3", "TDX quote, version 5, TD 1.5"])
def test_judge_attestation_judges_every_kind_by_the_same_lines(name: str) -> None:
    sgx = name.startswith("SGX")
    report_data = BINDING.report_data()
    recipe = (
        QuoteRecipe.sgx_v3(SgxRecipe(report_data=report_data))
        if sgx
        else QuoteRecipe.tdx_v5(TdRecipe(report_data=report_data))
    )
    collateral = (CollateralRecipe.sgx() if sgx else CollateralRecipe()).build(ISSUED_AT)
    quote = recipe.build()
    evidence = replace(attestation(quote), tee=TeeKind.SGX if sgx else TeeKind.TDX)
    assert Attestation.from_json(evidence.to_json()) == evidence
    workloads = [workload_id(parse_quote(quote))]
    verdict = judge(evidence, collateral, expected_workloads=workloads)
    assert results(verdict) == {
        line: {lines.ROOT: WARN, lines.FRESHNESS: OPEN}.get(line, PASS) for line in lines.LINES
    }
    assert verdict.checks[0].got == name


def test_judge_attestation_refuses_a_quote_of_another_kind_than_the_evidence_says() -> None:
    mislabelled = replace(attestation(), tee=TeeKind.SGX)
    verdict = judge(mislabelled)
    assert results(verdict)[lines.FORMAT] is FAIL
    assert verdict.exit_code is ExitCode.INVALID_EVIDENCE
    refuse(TeeTypeUnsupportedError, mislabelled)


def test_judge_attestation_refuses_an_enclave_with_the_provisioning_key() -> None:
    recipe = QuoteRecipe.sgx_v3(SgxRecipe(report_data=BINDING.report_data(), flags=0x15))
    evidence = replace(attestation(recipe.build()), tee=TeeKind.SGX)
    verdict = judge(evidence, CollateralRecipe.sgx().build(ISSUED_AT))
    assert results(verdict)[lines.DEBUG_OFF] is FAIL
    assert results(verdict)[lines.SIGNATURES] is PASS
    assert verdict.exit_code is ExitCode.REFUSED_BY_POLICY


def test_judge_attestation_gives_the_lines_in_the_order_of_the_proof() -> None:
    assert [check.name for check in judge().checks] == list(lines.LINES)
    assert all(check.why for check in judge().checks)


def test_judge_attestation_says_what_it_did_not_compare() -> None:
    verdict = judge(expected_workloads=None, expected_chain_id=None, expected_registry=None)
    for name in (lines.WORKLOAD, lines.CHAIN, lines.REGISTRY, lines.FRESHNESS):
        assert results(verdict)[name] is OPEN
    assert "4 check(s) not made" in verdict.sentence


def test_judge_attestation_calls_hardware_a_confidential_vm(genuine: Genuine) -> None:
    # The genuine quote binds something of its own, so that its report data cannot match.
    verdict = judge_attestation(
        attestation(genuine.read("tdx/phala_tdx_quote.bin")),
        genuine.all_in_one("tdx_quote"),
        genuine.intel_root,
        1_750_500_000,
    )
    found = results(verdict)
    assert found[lines.ROOT] is found[lines.SIGNATURES] is found[lines.TCB_LEVEL] is PASS
    assert found[lines.BINDING] is FAIL
    assert verdict.level is AssuranceLevel.NONE
    assert verdict.exit_code is ExitCode.INVALID_EVIDENCE


def test_judge_attestation_of_malformed_quote_checks_nothing_more() -> None:
    evidence = attestation(QUOTE[:-1])
    verdict = judge(evidence)
    assert results(verdict)[lines.FORMAT] is FAIL
    for name in lines.LINES[1:-1]:
        assert results(verdict)[name] is OPEN
    assert verdict.level is AssuranceLevel.NONE
    refuse(QuoteMalformedError, evidence)


def test_judge_attestation_of_flipped_bit_believes_nothing_of_the_report() -> None:
    evidence = attestation(flipped(QUOTE, 8 * 200))
    found = results(judge(evidence))
    assert found[lines.SIGNATURES] is FAIL
    for name in (lines.TCB_LEVEL, lines.DEBUG_OFF, lines.WORKLOAD, lines.BINDING, lines.CHAIN):
        assert found[name] is OPEN
    refuse(QuoteNotGenuineError, evidence)


def test_judge_attestation_with_lapsed_collateral_is_unavailable() -> None:
    late = ISSUED_AT + 31 * DAY
    verdict = judge(now=late)
    assert results(verdict)[lines.COLLATERAL] is FAIL
    assert results(verdict)[lines.SIGNATURES] is OPEN
    assert verdict.exit_code is ExitCode.UNAVAILABLE
    refuse(CollateralLapsedError, now=late)


def test_judge_attestation_of_another_quoting_enclave_does_not_pass_the_signatures() -> None:
    evidence = attestation(enclave(isv_prod_id=9).build())
    found = results(judge(evidence))
    assert found[lines.QUOTING_ENCLAVE] is FAIL
    assert found[lines.SIGNATURES] is found[lines.BINDING] is OPEN
    refuse(QuotingEnclaveRefusedError, evidence)


def test_judge_attestation_of_revoked_platform_fails_the_signatures() -> None:
    serial = development_pki().issue_pck().certificate.serial_number
    revoked = CollateralRecipe(revoked_by_ca=(serial,)).build(ISSUED_AT)
    assert results(judge(collateral=revoked))[lines.SIGNATURES] is FAIL
    refuse(CertificateRevokedError, collateral=revoked)


def test_judge_attestation_of_debug_td_is_refused_by_policy_and_says_the_rest() -> None:
    debug = td(td_attributes=(1 << 28) | 1).build()
    verdict = judge(attestation(debug), expected_workloads=[workload_id(parse_quote(debug))])
    found = results(verdict)
    assert found[lines.DEBUG_OFF] is FAIL
    assert found[lines.TCB_LEVEL] is OPEN
    assert found[lines.SIGNATURES] is found[lines.WORKLOAD] is found[lines.BINDING] is PASS
    assert verdict.exit_code is ExitCode.REFUSED_BY_POLICY
    refuse(DebugEnabledError, attestation(debug))


def out_of_date() -> Collateral:
    levels = (TcbLevel(status="OutOfDate", advisory_ids=("INTEL-SA-00828",)),)
    return CollateralRecipe(tcb_info=TcbInfoRecipe(levels=levels)).build(ISSUED_AT)


def test_judge_attestation_of_out_of_date_platform_is_refused_by_policy() -> None:
    verdict = judge(collateral=out_of_date())
    assert results(verdict)[lines.TCB_LEVEL] is FAIL
    assert results(verdict)[lines.SIGNATURES] is results(verdict)[lines.DEBUG_OFF] is PASS
    assert verdict.exit_code is ExitCode.REFUSED_BY_POLICY
    refuse(TcbStatusRefusedError, collateral=out_of_date())


def test_judge_attestation_warns_of_an_accepted_level_that_is_not_up_to_date() -> None:
    verdict = judge(collateral=out_of_date(), accept={TcbStatus.OUT_OF_DATE})
    assert results(verdict)[lines.TCB_LEVEL] is WARN
    assert verdict.exit_code is ExitCode.VERIFIED


@pytest.mark.parametrize("expected", [[], [bytes(32)]], ids=["none", "another"])
def test_judge_attestation_refuses_an_unknown_workload(expected: list[bytes]) -> None:
    verdict = judge(expected_workloads=expected)
    assert results(verdict)[lines.WORKLOAD] is FAIL
    assert verdict.exit_code is ExitCode.REFUSED_BY_POLICY
    refuse(WorkloadNotTrustedError, expected_workloads=expected)


@pytest.mark.parametrize(
    "changes",
    [
        {"authority": bytes(20)},
        {"transport_key": bytes(32)},
        {"block_number": 1_001},
        {"block_hash": bytes(32)},
        {"chain_id": 1},
        {"enclave_registry": bytes(20)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_judge_attestation_refuses_claims_that_the_quote_does_not_bind(
    changes: dict[str, Any],
) -> None:
    evidence = replace(attestation(), **changes)
    options = {
        "expected_chain_id": evidence.chain_id,
        "expected_registry": evidence.enclave_registry,
    }
    verdict = judge(evidence, **options)
    assert results(verdict)[lines.BINDING] is FAIL
    assert results(verdict)[lines.CHAIN] is results(verdict)[lines.REGISTRY] is OPEN
    assert verdict.exit_code is ExitCode.INVALID_EVIDENCE
    refuse(BindingMismatchError, evidence, **options)


def test_judge_attestation_refuses_a_tail_of_report_data_that_is_not_zero() -> None:
    data = BINDING.digest() + bytes(31) + b"\x01"
    evidence = attestation(replace(RECIPE, td=replace(RECIPE.td, report_data=data)).build())
    assert results(judge(evidence))[lines.BINDING] is FAIL
    refuse(BindingMismatchError, evidence)


@pytest.mark.parametrize(
    ("line", "options"),
    [
        (lines.CHAIN, {"expected_chain_id": 1}),
        (lines.REGISTRY, {"expected_registry": bytes(20)}),
    ],
    ids=["chain", "registry"],
)
def test_judge_attestation_refuses_evidence_for_another_place(
    line: str, options: dict[str, Any]
) -> None:
    verdict = judge(**options)
    assert results(verdict)[line] is FAIL
    assert results(verdict)[lines.BINDING] is PASS
    refuse(BindingMismatchError, **options)


@pytest.mark.parametrize("status", [TcbStatus.NONE, TcbStatus.REVOKED])
def test_judge_attestation_refuses_a_policy_that_accepts_what_nobody_may(
    status: TcbStatus,
) -> None:
    with pytest.raises(FieldError):
        judge(accept={status})


def test_failed_lines_say_got_and_expected() -> None:
    check = next(c for c in judge(expected_chain_id=5).checks if c.name == lines.CHAIN)
    assert check.got is not None
    assert str(BINDING.chain_id) in check.got
    assert check.expected == "5"
