"""What the client reads of a verifier's collateral, what it sends, and what it refuses to send."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.client.collateral_support import DAY, ISSUED_AT, NOW, PKI, Desk
from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.dcap.evidence import (
    known_platform_evidence,
    new_platform_evidence,
    platform_handle,
)
from xmtp_tee.attestation.errors import (
    CertificateRevokedError,
    CollateralInvalidError,
    CollateralLapsedError,
    CollateralNotYetValidError,
    EvidenceExpiredError,
    PlatformMismatchError,
    QuoteNotGenuineError,
)
from xmtp_tee.attestation.simulator import (
    CollateralRecipe,
    DevelopmentPki,
    Platform,
    QeIdentityRecipe,
    QuoteRecipe,
    TcbInfoRecipe,
)
from xmtp_tee.client.collateral import CollateralSupersededError
from xmtp_tee.client.holdings import Holding, State, metrics, worst
from xmtp_tee.errors import XmtpTeeError

TDX = CollateralRecipe()
STRANGER = DevelopmentPki(b"a stranger's root")
LEAF = PKI.issue_pck()


# --- submitting -------------------------------------------------------------------------------------


def test_submit_sends_every_piece_once_in_the_order_that_the_verifier_needs() -> None:
    desk = Desk()
    done = desk.submit(TDX.build(ISSUED_AT), LEAF.der)
    assert desk.verifier.sent == [
        "submitIntermediateCa",
        "submitTcbSigner",
        "submitCrl",
        "submitCrl",
        "submitTcbInfo",
        "submitQeIdentity",
        "submitPckCertificate",
    ]
    assert all(item.sent and item.gas for item in done)
    again = desk.submit(TDX.build(ISSUED_AT), LEAF.der)
    assert not any(item.sent for item in again)
    assert len(desk.verifier.sent) == 7


def test_submit_sends_newer_texts_and_lists_alone() -> None:
    desk = Desk()
    desk.bring()
    desk.verifier.sent.clear()
    desk.bring(issued_at=ISSUED_AT + 3600)
    assert desk.verifier.sent == ["submitCrl", "submitCrl", "submitTcbInfo", "submitQeIdentity"]
    desk.verifier.sent.clear()
    desk.bring(issued_at=ISSUED_AT)
    assert desk.verifier.sent == []


def test_submit_brings_sgx_beside_tdx_and_version_2_of_tcb_info() -> None:
    desk = Desk()
    desk.bring()
    desk.verifier.sent.clear()
    desk.bring(CollateralRecipe.sgx(tcb_info=TcbInfoRecipe.sgx_v2()))
    assert desk.verifier.sent == ["submitTcbInfo", "submitQeIdentity"]
    desk.verifier.sent.clear()
    desk.bring(CollateralRecipe.sgx())
    assert desk.verifier.sent == []


def test_missing_names_what_would_be_sent_and_sends_nothing() -> None:
    desk = Desk()
    plan = desk.sync.missing(TDX.build(ISSUED_AT))
    assert [lacks for _, lacks in plan] == [True] * 6
    assert desk.verifier.sent == []


def build(**changes: Any) -> Collateral:
    return replace(TDX, **changes).build(ISSUED_AT)


def broken(**pieces: Any) -> Collateral:
    return replace(TDX.build(ISSUED_AT), **pieces)


REFUSED: dict[str, tuple[Callable[[], Collateral], type[XmtpTeeError]]] = {
    "another root": (lambda: TDX.build(ISSUED_AT, STRANGER), QuoteNotGenuineError),
    "lapsed": (lambda: TDX.build(NOW - 31 * DAY), CollateralLapsedError),
    "from the future": (lambda: TDX.build(NOW + 60), CollateralNotYetValidError),
    "a lapsed list": (lambda: build(crl_lifetime=DAY - 1), CollateralLapsedError),
    "signed by the platform": (lambda: build(tcb_signer=LEAF), QuoteNotGenuineError),
    "the signer is revoked": (
        lambda: build(revoked_by_root=(PKI.tcb_signer.certificate.serial_number,)),
        CertificateRevokedError,
    ),
    "the CA is revoked": (
        lambda: build(revoked_by_root=(PKI.platform_ca.certificate.serial_number,)),
        CertificateRevokedError,
    ),
    "a text with another signature": (
        lambda: broken(tcb_info_signature=TDX.build(ISSUED_AT).qe_identity_signature),
        CollateralInvalidError,
    ),
    "a list signed by a stranger": (
        lambda: broken(
            pck_crl=PKI.crl(
                PKI.platform_ca,
                this_update=ISSUED_AT,
                next_update=NOW + DAY,
                signer=STRANGER.platform_ca,
            )
        ),
        CollateralInvalidError,
    ),
    "the CA is a stranger's": (
        lambda: broken(
            pck_crl_issuer_chain=STRANGER.platform_ca.pem + PKI.root.pem,
            pck_crl=PKI.crl(STRANGER.platform_ca, this_update=ISSUED_AT, next_update=NOW + DAY),
        ),
        QuoteNotGenuineError,
    ),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_submit_refuses_what_the_chain_would_refuse_before_anything_is_sent(fault: str) -> None:
    make, error = REFUSED[fault]
    desk = Desk()
    with pytest.raises(error):
        desk.submit(make())
    assert desk.verifier.sent == []


@pytest.mark.parametrize(
    ("leaf", "error"),
    [
        (lambda: STRANGER.issue_pck().der, QuoteNotGenuineError),
        (lambda: PKI.platform_ca.der, XmtpTeeError),
        (lambda: PKI.issue_pck(issuer=PKI.processor_ca).der, QuoteNotGenuineError),
        (lambda: PKI.issue_pck(not_after=NOW - 1).der, EvidenceExpiredError),
        (lambda: PKI.issue_pck(Platform(fmspc=bytes(6))).der, XmtpTeeError),
    ],
    ids=["stranger", "a CA", "another CA", "expired", "another family"],
)
def test_submit_refuses_a_platform_certificate_that_the_chain_would_refuse(
    leaf: Callable[[], bytes], error: type[XmtpTeeError]
) -> None:
    desk = Desk()
    with pytest.raises(error):
        desk.submit(TDX.build(ISSUED_AT), leaf())
    assert desk.verifier.sent == []


def test_submit_refuses_a_revoked_platform_certificate() -> None:
    revoked = build(revoked_by_ca=(LEAF.certificate.serial_number,))
    desk = Desk()
    with pytest.raises(CertificateRevokedError):
        desk.submit(revoked, LEAF.der)
    desk.submit(revoked)
    assert len(desk.verifier.sent) == 6


@pytest.mark.parametrize(
    "older",
    [
        {"tcb_info": TcbInfoRecipe(evaluation_number=16)},
        {"qe_identity": QeIdentityRecipe(evaluation_number=16)},
        {"pck_crl_number": 4},
        {"root_crl_number": 4},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_submit_refuses_newer_dates_with_older_numbers(older: dict[str, Any]) -> None:
    desk = Desk()
    desk.bring(CollateralRecipe(pck_crl_number=5, root_crl_number=5))
    desk.verifier.sent.clear()
    numbered = {"pck_crl_number": 5, "root_crl_number": 5} | older
    with pytest.raises(CollateralSupersededError):
        desk.bring(CollateralRecipe(**numbered), ISSUED_AT + 60)
    assert desk.verifier.sent == []


def test_require_submittable_compares_the_leafs_family() -> None:
    from xmtp_tee.attestation.submittable import require_submittable

    other = PKI.issue_pck(Platform(fmspc=bytes(6))).der
    with pytest.raises(PlatformMismatchError):
        require_submittable(TDX.build(ISSUED_AT), Desk().sync.root_key_hash(), NOW, other)


# --- evidence ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "recipe",
    [QuoteRecipe(), QuoteRecipe.sgx_v3(), QuoteRecipe.tdx_v5(), QuoteRecipe.tdx_v5_td_10()],
    ids=["TDX 4", "SGX 3", "TDX 5, TD 1.5", "TDX 5, TD 1.0"],
)
def test_encode_quote_brings_the_certificate_until_the_verifier_knows_it(
    recipe: QuoteRecipe,
) -> None:
    quote = recipe.build()
    desk = Desk()
    assert desk.sync.encode_quote(quote) == new_platform_evidence(quote)
    desk.bring()
    assert desk.sync.encode_quote(quote + bytes(100)) == new_platform_evidence(quote)
    desk.verifier.known.add(platform_handle(quote))
    assert desk.sync.encode_quote(quote) == known_platform_evidence(quote)
    submitted = Desk()
    submitted.submit(TDX.build(ISSUED_AT), LEAF.der)
    assert submitted.sync.encode_quote(quote) == known_platform_evidence(quote)


# --- holdings ---------------------------------------------------------------------------------------


def named(desk: Desk) -> dict[str, Holding]:
    return {holding.component: holding for holding in desk.sync.holdings()}


def test_holdings_of_a_new_verifier_are_all_missing() -> None:
    held = Desk().sync.holdings()
    assert {holding.component for holding in held} == {
        "pck-ca",
        "tcb-signer",
        "root-crl",
        "tcb-info",
    }
    assert {holding.state(NOW) for holding in held} == {State.MISSING}
    assert worst(held, NOW, 0) is State.MISSING
    assert worst([], NOW, 0) is State.MISSING


def test_holdings_name_every_piece_and_when_it_lapses() -> None:
    desk = Desk(grace=DAY)
    desk.bring()
    held = named(desk)
    until = ISSUED_AT + TDX.lifetime
    for component in ("root-crl", "pck-crl", "tcb-info", "qe-identity"):
        assert held[component].until == until
        assert held[component].lapses_at == until + DAY
    for component in ("pck-ca", "tcb-signer"):
        assert held[component].until == held[component].lapses_at == PKI.not_after
    assert held["tcb-info"].subject == "tdx de7e10000000"
    assert worst(held.values(), NOW, 0) is State.IN_FORCE


def test_holdings_miss_the_identity_of_a_tee_with_tcb_info_and_a_list_of_every_ca() -> None:
    desk = Desk()
    desk.bring()
    desk.verifier.texts.pop(("qeIdentity", 2))
    desk.verifier.events = [e for e in desk.verifier.events if e[0] != "QeIdentityAccepted"]
    assert named(desk)["qe-identity"].state(NOW) is State.MISSING
    next(a for a in desk.verifier.authorities.values() if a["role"] == 1)["crlNextUpdate"] = 0
    assert named(desk)["pck-crl"].state(NOW) is State.MISSING


def test_holdings_do_not_count_a_signer_whose_texts_were_replaced() -> None:
    desk = Desk()
    desk.bring()
    old = PKI.issue_tcb_signer("old signer", not_after=NOW + DAY)
    desk.submit(replace(TDX, tcb_signer=old).build(ISSUED_AT + 1))
    assert worst(desk.sync.holdings(), NOW, 2 * DAY) is State.DUE
    desk.bring(issued_at=ISSUED_AT + 2)
    held = [h for h in desk.sync.holdings() if h.component == "tcb-signer"]
    assert sorted(h.state(NOW, 2 * DAY) for h in held) == [State.UNUSED, State.IN_FORCE]
    assert worst(desk.sync.holdings(), NOW, 2 * DAY) is State.IN_FORCE


def test_holdings_say_that_an_authority_is_revoked_and_miss_another() -> None:
    desk = Desk()
    desk.bring()
    ca = next(a for a in desk.verifier.authorities.values() if a["role"] == 1)
    ca["revoked"] = True
    held = [h for h in desk.sync.holdings() if h.component == "pck-ca"]
    assert [h.what for h in held] == ["PCK CA certificate (revoked)", "PCK CA certificate"]
    assert [h.state(NOW) for h in held] == [State.UNUSED, State.MISSING]


def test_state_changes_at_the_bounds() -> None:
    holding = Holding("a text", until=1_000, grace=50)
    assert holding.state(900, within=99) is State.IN_FORCE
    assert holding.state(900, within=100) is State.DUE
    assert holding.state(1_000) is State.DUE
    assert holding.state(1_049) is State.DUE
    assert holding.state(1_050) is State.LAPSED
    assert Holding("nothing", until=0, grace=50).state(10) is State.MISSING
    assert replace(holding, in_use=False).state(9_999) is State.UNUSED


def test_metrics_are_prometheus_text() -> None:
    desk = Desk(grace=7)
    desk.bring()
    lines = metrics(desk.sync.holdings(), NOW)
    name = "xmtp_tee_collateral_lapse_timestamp_seconds"
    until = ISSUED_AT + TDX.lifetime + 7
    assert f'{name}{{component="tcb-info",subject="tdx de7e10000000"}} {until}' in lines
    assert f"xmtp_tee_collateral_judged_timestamp_seconds {NOW}" in lines
    samples = [line for line in lines if not line.startswith("#")]
    assert len(samples) == len(set(samples)) == 7
    assert metrics([Holding("x", 0, "root-crl", "root")], 5)[2].endswith(" 0")
