"""The verdict: a line per link, and what each failure does to the lines behind it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.attestation.nitro.support import (
    DOCUMENT,
    GENUINE,
    NOW,
    ROOT,
    attestation,
    aws_root,
    recipe,
    shaped,
)
from tests.attestation.support import BINDING, Genuine, flipped
from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation import Attestation, TeeKind
from xmtp_tee.attestation.errors import (
    CborMalformedError,
    CollateralUnavailableError,
    DebugEnabledError,
    FieldError,
)
from xmtp_tee.attestation.judge import judge_attestation
from xmtp_tee.attestation.judgement import Expectations
from xmtp_tee.attestation.nitro.judge import LINES
from xmtp_tee.attestation.offline import (
    Trust,
    judge_offline,
    verify_offline,
    workload_of_attestation,
)
from xmtp_tee.attestation.simulator import CollateralRecipe, development_root_certificate
from xmtp_tee.attestation.simulator.nitro import NitroLevel, development_nitro_pki
from xmtp_tee.attestation.simulator.nitro.document import development_pcrs
from xmtp_tee.attestation.x509 import Revoked
from xmtp_tee.errors import ExitCode
from xmtp_tee.verdict import CheckResult, Verdict

WORKLOAD = workload_of_attestation(attestation())
EVERYTHING = Expectations([WORKLOAD], BINDING.chain_id, BINDING.enclave_registry)
BANK = development_pcrs()


def judge(document: Any = DOCUMENT, expected: Expectations = EVERYTHING, now: int = NOW) -> Verdict:
    """The verdict under the development root."""
    return judge_offline(attestation(document), Trust(root=ROOT), now, expected)


def results(verdict: Verdict) -> dict[str, CheckResult]:
    """The outcome of each line."""
    return {check.name: check.result for check in verdict.checks}


def test_a_genuine_document_passes_every_line_but_revocation_and_freshness_and_warns_of_its_root() -> (
    None
):
    verdict = judge()
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


def test_what_is_not_given_is_not_checked() -> None:
    lines = results(judge(expected=Expectations()))
    for name in ("workload", "chain", "registry"):
        assert lines[name] is CheckResult.NOT_CHECKED


@pytest.mark.parametrize(
    ("document", "line", "exit_code"),
    [
        (DOCUMENT + b"\x00", "quote format", ExitCode.INVALID_EVIDENCE),
        (b"", "quote format", ExitCode.INVALID_EVIDENCE),
        (
            shaped(NitroLevel.ZONAL, is_ca=False, path_length=-1),
            "certificates",
            ExitCode.INVALID_EVIDENCE,
        ),
        (shaped(NitroLevel.ZONAL, not_after=NOW - 1), "certificates", ExitCode.REFUSED_BY_POLICY),
        (flipped(DOCUMENT, 8 * len(DOCUMENT) - 1), "signatures", ExitCode.INVALID_EVIDENCE),
        (
            recipe(user_data=BINDING.report_data(), timestamp_ms=1),
            "document's time",
            ExitCode.INVALID_EVIDENCE,
        ),
        (recipe(pcrs={**BANK, 2: bytes(48)}), "debug off", ExitCode.REFUSED_BY_POLICY),
        (recipe(pcrs={**BANK, 2: b"\x01" * 48}), "workload", ExitCode.REFUSED_BY_POLICY),
        (recipe(user_data=bytes(64)), "report data", ExitCode.INVALID_EVIDENCE),
        (recipe(user_data=bytes(63)), "report data", ExitCode.INVALID_EVIDENCE),
        (recipe(user_data=None), "report data", ExitCode.INVALID_EVIDENCE),
    ],
)
def test_a_failure_stands_in_its_own_line(document: Any, line: str, exit_code: ExitCode) -> None:
    verdict = judge(document)
    assert line in {check.name for check in verdict.failed}
    failed = next(check for check in verdict.checks if check.name == line)
    assert failed.exit_code is exit_code
    assert verdict.level is AssuranceLevel.NONE
    assert verdict.exit_code is not ExitCode.VERIFIED


def test_nothing_behind_a_broken_signature_is_believed() -> None:
    lines = results(judge(flipped(DOCUMENT, 8 * len(DOCUMENT) - 1)))
    for name in ("document's time", "debug off", "workload", "report data", "chain", "registry"):
        assert lines[name] is CheckResult.NOT_CHECKED


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


def test_a_revoked_certificate_fails() -> None:
    instance = development_nitro_pki().chain(NOW)[3]
    from xmtp_tee.attestation.x509 import read_x509

    certificate = read_x509(instance.der, "instance")
    revoked = [Revoked(certificate.issuer, certificate.serial_number)]
    verdict = judge_offline(attestation(), Trust(root=ROOT, revoked=revoked), NOW, EVERYTHING)
    assert [check.name for check in verdict.failed] == ["certificates"]


def test_genuine_evidence_passes_under_aws_root_without_a_warning(genuine: Genuine) -> None:
    for name, made_at in GENUINE.items():
        lines = results(
            judge_offline(attestation(genuine.read(name)), Trust(root=aws_root(genuine)), made_at)
        )
        assert lines["root"] is CheckResult.PASS
        assert lines["signatures"] is CheckResult.PASS
        # It binds something of its owner's, not a transport key of ours.
        assert lines["report data"] is CheckResult.FAIL


# --- any TEE -----------------------------------------------------------------------------------------


def test_programs_get_the_first_failure_as_its_typed_error() -> None:
    trust = Trust(root=ROOT)
    assert verify_offline(attestation(), trust, NOW, EVERYTHING) == judge()
    with pytest.raises(DebugEnabledError):
        verify_offline(attestation(recipe(pcrs={**BANK, 2: bytes(48)})), trust, NOW)
    with pytest.raises(CborMalformedError):
        verify_offline(attestation(b""), trust, NOW)


def test_offline_judgement_refuses_a_missing_or_wrong_root() -> None:
    with pytest.raises(FieldError, match="root"):
        judge_offline(attestation(), Trust(), NOW)
    with pytest.raises(FieldError, match="not a root certificate"):
        judge_offline(attestation(), Trust(root=development_root_certificate()), NOW)
    with pytest.raises(CollateralUnavailableError):
        judge_offline(replace(attestation(), tee=TeeKind.TDX), Trust(root=ROOT), NOW)


def test_a_document_that_claims_to_be_a_quote_fails_in_its_format() -> None:
    claimed: Attestation = replace(attestation(), tee=TeeKind.TDX)
    verdict = judge_attestation(
        claimed, CollateralRecipe().build(NOW - 60), development_root_certificate(), NOW
    )
    assert [check.name for check in verdict.failed] == ["quote format"]


def test_a_saved_attestation_of_nitro_is_read_back() -> None:
    assert Attestation.from_json(attestation().to_json()) == attestation()
