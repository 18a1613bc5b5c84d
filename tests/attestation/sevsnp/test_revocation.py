"""AMD's form of revocation lists, made by the development PKI's keys."""

from __future__ import annotations

from typing import Any

import pytest

from tests.attestation.sevsnp.support import ANCHORS, FLOORS, MILAN, NOW, REPORT, attestation
from xmtp_tee.attestation.errors import (
    CertificateRevokedError,
    CollateralInvalidError,
    CollateralLapsedError,
    CollateralNotYetValidError,
)
from xmtp_tee.attestation.offline import Trust, judge_offline, verify_offline
from xmtp_tee.attestation.revocation_line import REVOCATION
from xmtp_tee.attestation.sevsnp.product import ProductLine
from xmtp_tee.attestation.sevsnp.revocation import read_amd_crl
from xmtp_tee.attestation.sevsnp.verify import verify_report
from xmtp_tee.attestation.simulator import der
from xmtp_tee.attestation.simulator.sevsnp import AmdCrlRecipe
from xmtp_tee.attestation.x509 import Revoked, read_x509
from xmtp_tee.verdict import CheckResult

ARK = read_x509(MILAN.ark().der, "The ARK certificate")
ASK_SERIAL = ProductLine.MILAN << 16 | 1


def crl(
    serials: tuple[int, ...] = (ASK_SERIAL,),
    start: int = NOW - 60,
    end: int | None = NOW + 60,
    **changes: Any,
) -> bytes:
    """A list of the ARK."""
    return AmdCrlRecipe(serials, start, end, **changes).build(MILAN)


def test_what_the_list_names_is_revoked() -> None:
    revoked = read_amd_crl(crl(), ARK, NOW)
    assert revoked == {Revoked(ARK.subject, ASK_SERIAL)}
    with pytest.raises(CertificateRevokedError, match="ASK"):
        verify_report(REPORT, FLOORS, NOW, anchors=ANCHORS, revoked=revoked)


def test_an_empty_list_revokes_nothing() -> None:
    assert read_amd_crl(crl(serials=()), ARK, NOW) == frozenset()


def test_a_list_without_extensions_counts() -> None:
    assert read_amd_crl(crl(number=None, key_id=None), ARK, NOW)


def test_another_issuers_or_a_forged_list_is_refused() -> None:
    other = der.name((der.COMMON_NAME, "somebody else"))
    ecdsa = bytes.fromhex("300a06082a8648ce3d040303")
    for forged in (
        crl(issuer=other),
        crl(key=MILAN.rsa("stranger-ark")),
        crl(key=MILAN.rsa("ask")),
        crl(algorithm=ecdsa),
    ):
        with pytest.raises(CollateralInvalidError, match="not that of"):
            read_amd_crl(forged, ARK, NOW)


def test_a_list_counts_only_in_its_time() -> None:
    assert read_amd_crl(crl(start=NOW), ARK, NOW)
    assert read_amd_crl(crl(end=NOW), ARK, NOW)
    with pytest.raises(CollateralLapsedError):
        read_amd_crl(crl(end=NOW - 1), ARK, NOW)
    with pytest.raises(CollateralNotYetValidError):
        read_amd_crl(crl(start=NOW + 1), ARK, NOW)
    with pytest.raises(CollateralInvalidError, match="no next update"):
        read_amd_crl(crl(end=None), ARK, NOW)


@pytest.mark.parametrize("raw", [b"", b"\x30\x00", crl()[:-1], crl() + b"\x00"])
def test_what_is_no_list_is_refused(raw: bytes) -> None:
    with pytest.raises(CollateralInvalidError):
        read_amd_crl(raw, ARK, NOW)


# --- the verdict's line ---------------------------------------------------------------------------


def judged(*lists: bytes) -> CheckResult:
    """The outcome of the line on revocation, under these lists."""
    verdict = judge_offline(attestation(), Trust(anchors=ANCHORS, floors=FLOORS, crls=lists), NOW)
    return next(check.result for check in verdict.checks if check.name == REVOCATION)


def test_revocation_is_checked_under_the_roots_list_alone() -> None:
    assert judged() is CheckResult.NOT_CHECKED
    assert judged(crl(serials=())) is CheckResult.PASS


def test_revoked_ask_fails_the_verdict() -> None:
    """Attack: evidence under an ASK that AMD has revoked."""
    assert judged(crl()) is CheckResult.FAIL
    trust = Trust(anchors=ANCHORS, floors=FLOORS, crls=(crl(),))
    with pytest.raises(CertificateRevokedError):
        verify_offline(attestation(), trust, NOW)


def test_list_that_does_not_count_fails_the_line() -> None:
    other = der.name((der.COMMON_NAME, "somebody else"))
    for bad in (crl(key=MILAN.rsa("stranger-ark")), crl(end=NOW - 1), crl(issuer=other), b""):
        assert judged(bad) is CheckResult.FAIL
