"""The rule for several kinds of TEE behind one enclave, off chain."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.attestation.support import BINDING, NOW
from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation import Attestation, TeeKind
from xmtp_tee.attestation.errors import FieldError
from xmtp_tee.attestation.several import (
    EACH_ONCE,
    KINDS,
    ONE_ENCLAVE,
    POLICY_KINDS,
    Demand,
    Judged,
    judge_several,
)
from xmtp_tee.errors import ExitCode
from xmtp_tee.verdict import Check, CheckResult, Verdict

PASS, WARN, FAIL = CheckResult.PASS, CheckResult.WARN, CheckResult.FAIL
OUTCOMES = {
    0: (PASS, ExitCode.VERIFIED),
    2: (FAIL, ExitCode.INVALID_EVIDENCE),
    3: (FAIL, ExitCode.UNAVAILABLE),
    4: (FAIL, ExitCode.REFUSED_BY_POLICY),
}


def kind(
    tee: TeeKind, code: int = 0, level: AssuranceLevel = AssuranceLevel.CVM, **changes: Any
) -> Judged:
    """Evidence of a kind whose own verdict has this exit code."""
    attestation = Attestation(
        tee=tee,
        quote=b"",
        authority=BINDING.authority,
        transport_key=BINDING.transport_key,
        chain_id=BINDING.chain_id,
        enclave_registry=BINDING.enclave_registry,
        block_number=BINDING.block_number,
        block_hash=BINDING.block_hash,
    )
    result, exit_code = OUTCOMES[code]
    check = Check("signatures", result, "what was found", exit_code=exit_code)
    verdict = Verdict("enclave", NOW, level if code == 0 else AssuranceLevel.NONE, (check,))
    return Judged(replace(attestation, **changes), verdict)


TDX, NITRO, SNP, SGX = (
    kind(tee) for tee in (TeeKind.TDX, TeeKind.NITRO, TeeKind.SEV_SNP, TeeKind.SGX)
)


def outcome(*judged: Judged, required: int, policy: Demand | None = None) -> Verdict:
    return judge_several(judged, required, NOW, policy)


def line(verdict: Verdict, name: str) -> Check:
    [found] = [check for check in verdict.checks if check.name == name]
    return found


@pytest.mark.parametrize("required", [1, 2])
def test_enough_kinds_of_one_enclave_verify(required: int) -> None:
    verdict = outcome(TDX, NITRO, required=required)
    assert verdict.exit_code is ExitCode.VERIFIED
    assert {check.result for check in verdict.checks} == {PASS}
    assert line(verdict, KINDS).got == "2 verified: tdx, nitro"


def test_fewer_kinds_than_are_required_are_refused_by_policy() -> None:
    verdict = outcome(TDX, NITRO, required=3)
    assert verdict.exit_code is ExitCode.REFUSED_BY_POLICY
    assert verdict.level is AssuranceLevel.NONE
    assert line(verdict, KINDS).expected == "at least 3"


@pytest.mark.parametrize("code", [2, 3, 4])
def test_failing_kind_is_named_with_its_reason_and_decides_the_exit_code(code: int) -> None:
    verdict = outcome(TDX, kind(TeeKind.NITRO, code), required=2)
    failed = line(verdict, "nitro")
    assert (failed.result, failed.got) == (FAIL, "signatures: what was found")
    assert verdict.exit_code == code
    assert verdict.level is AssuranceLevel.NONE


@pytest.mark.parametrize("code", [2, 3, 4])
def test_failing_kind_beyond_the_demand_is_a_warning(code: int) -> None:
    verdict = outcome(TDX, kind(TeeKind.NITRO, code), SNP, required=2)
    warned = line(verdict, "nitro")
    assert (warned.result, warned.got) == (WARN, "signatures: what was found")
    assert verdict.exit_code is ExitCode.VERIFIED
    assert line(verdict, KINDS).got == "2 verified: tdx, sev-snp"


def test_too_few_kinds_are_too_few_whatever_the_failing_one_would_say() -> None:
    verdict = outcome(TDX, kind(TeeKind.NITRO, 3), required=3)
    assert verdict.exit_code is ExitCode.REFUSED_BY_POLICY


def test_attack_one_kind_twice_for_two() -> None:
    verdict = outcome(TDX, TDX, required=2)
    assert verdict.exit_code is ExitCode.INVALID_EVIDENCE
    assert line(verdict, EACH_ONCE).got == "several of tdx"
    assert line(verdict, KINDS).got == "1 verified: tdx"


def test_one_kind_twice_is_refused_also_where_one_would_suffice() -> None:
    assert outcome(TDX, TDX, required=1).exit_code is ExitCode.INVALID_EVIDENCE


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"authority": b"\x33" * 20}, "authority"),
        ({"transport_key": b"\x77" * 32}, "transport key"),
        ({"chain_id": BINDING.chain_id + 1}, "chain"),
        ({"enclave_registry": b"\x33" * 20}, "registry"),
    ],
)
@pytest.mark.parametrize("required", [1, 2])
def test_attack_evidence_of_another_enclave_mixed_in(
    changes: dict[str, Any], name: str, required: int
) -> None:
    verdict = outcome(TDX, SNP, kind(TeeKind.NITRO, **changes), required=required)
    assert verdict.exit_code is ExitCode.INVALID_EVIDENCE
    assert str(line(verdict, ONE_ENCLAVE).got).startswith(f"nitro is for another {name}: ")


def test_kinds_may_bind_different_blocks() -> None:
    later = kind(TeeKind.NITRO, block_number=BINDING.block_number + 9, block_hash=b"\x33" * 32)
    assert outcome(TDX, later, required=2).exit_code is ExitCode.VERIFIED


def test_level_is_the_lowest_of_the_kinds_that_verified() -> None:
    simulated = kind(TeeKind.NITRO, level=AssuranceLevel.SIMULATED)
    assert outcome(TDX, simulated, required=1).level is AssuranceLevel.SIMULATED
    assert outcome(TDX, kind(TeeKind.NITRO, 2), required=1).level is AssuranceLevel.CVM


def test_policy_counts_the_kinds_that_it_names() -> None:
    two = Demand(2, (TeeKind.TDX, TeeKind.SEV_SNP))
    refused = outcome(TDX, NITRO, required=2, policy=two)
    assert refused.exit_code is ExitCode.REFUSED_BY_POLICY
    assert line(refused, KINDS).result is PASS
    counted = line(refused, POLICY_KINDS)
    assert (counted.got, counted.expected) == ("1 verified: tdx", "at least 2 of tdx, sev-snp")
    assert outcome(TDX, NITRO, SNP, required=2, policy=two).exit_code is ExitCode.VERIFIED


def test_two_kinds_of_one_vendor_are_said_to_be() -> None:
    assert any("Intel" in text for text in outcome(TDX, SGX, required=2).not_shown)
    assert not any("Intel" in text for text in outcome(TDX, NITRO, required=2).not_shown)


@pytest.mark.parametrize(("judged", "required"), [((), 1), ((TDX,), 0), ((TDX,), -1)])
def test_demand_of_nothing_is_refused(judged: tuple[Judged, ...], required: int) -> None:
    with pytest.raises(FieldError):
        judge_several(judged, required, NOW)
