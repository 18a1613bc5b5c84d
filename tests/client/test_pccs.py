"""The collateral service's client, against a server on the loopback that speaks Intel's API."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.client.collateral_support import (
    ISSUED_AT,
    NOW,
    PKI,
    Answer,
    Pccs,
    answers_for,
    serve,
)
from xmtp_tee.attestation import TcbStatus, TeeKind, verify_quote
from xmtp_tee.attestation.collateral import MAX_TEXT_SIZE
from xmtp_tee.attestation.errors import CollateralInvalidError, QuoteMalformedError
from xmtp_tee.attestation.simulator import CollateralRecipe, QuoteRecipe
from xmtp_tee.client.pccs import (
    PccsAnswerError,
    PccsClient,
    PccsNotFoundError,
    PccsUnavailableError,
    family_of,
)
from xmtp_tee.errors import ExitCode, UsageError

FMSPC = bytes.fromhex("de7e10000000")
TDX = CollateralRecipe().build(ISSUED_AT)
SGX = CollateralRecipe.sgx(pck_ca=PKI.processor_ca).build(ISSUED_AT)
TCB = "/tdx/certification/v4/tcb?fmspc=de7e10000000"
ROOT_CRL = "/sgx/certification/v4/rootcacrl"
IDENTITY = "/tdx/certification/v4/qe/identity"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def service() -> Iterator[Pccs]:
    with serve(answers_for(TDX, TeeKind.TDX, "platform")) as made:
        yield made


def fetch(service: Pccs) -> object:
    return PccsClient(service.url, timeout=5).fetch(TeeKind.TDX, FMSPC, "platform")


def test_fetch_returns_the_collateral_that_the_service_has(service: Pccs) -> None:
    assert fetch(service) == TDX
    assert set(service.asked) == set(service.answers)


def test_fetch_for_asks_for_what_the_quote_needs_and_judges_it() -> None:
    quote = QuoteRecipe.sgx_v3(issuer=PKI.processor_ca).build()
    assert family_of(quote) == (TeeKind.SGX, FMSPC, "processor")
    with serve(answers_for(SGX, TeeKind.SGX, "processor")) as service:
        collateral = PccsClient(service.url + "/sgx/certification/v4/", timeout=5).fetch_for(quote)
    assert collateral == SGX
    verified = verify_quote(quote, collateral, PKI.root.der, NOW)
    assert verified.status is TcbStatus.UP_TO_DATE


def test_family_of_tells_the_cas_apart() -> None:
    assert family_of(QuoteRecipe().build()) == (TeeKind.TDX, FMSPC, "platform")
    assert family_of(QuoteRecipe.tdx_v5().build()) == (TeeKind.TDX, FMSPC, "platform")
    with pytest.raises(QuoteMalformedError):
        family_of(b"no quote")


def test_fetch_asks_for_the_update_that_it_is_told(service: Pccs) -> None:
    early = {
        f"{path}{'&' if '?' in path else '?'}update=early": answer
        for path, answer in service.answers.items()
    }
    service.answers |= early
    client = PccsClient(service.url, timeout=5, update="early")
    assert client.fetch(TeeKind.TDX, FMSPC, "platform") == TDX
    assert f"{TCB}&update=early" in service.asked


def test_fetch_takes_the_older_name_of_the_chain_header(service: Pccs) -> None:
    answer = service.answers[TCB]
    service.answers[TCB] = replace(
        answer, headers={"SGX-TCB-Info-Issuer-Chain": answer.headers["TCB-Info-Issuer-Chain"]}
    )
    assert fetch(service) == TDX


def test_fetch_takes_the_root_list_from_elsewhere_where_the_service_has_none(
    service: Pccs,
) -> None:
    del service.answers[ROOT_CRL]
    service.answers["/root.der"] = Answer(TDX.root_ca_crl)
    client = PccsClient(service.url, timeout=5, root_crl_url=f"{service.url}/root.der")
    assert client.fetch(TeeKind.TDX, FMSPC, "platform") == TDX


def test_fetch_says_not_found_of_a_family_that_the_service_does_not_know(service: Pccs) -> None:
    with pytest.raises(PccsNotFoundError) as refusal:
        PccsClient(service.url, timeout=5).fetch(TeeKind.TDX, bytes(6), "platform")
    assert refusal.value.exit_code is ExitCode.UNAVAILABLE
    assert refusal.value.got == "HTTP 404"


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 429, 500, 503])
def test_fetch_refuses_every_other_status_and_follows_no_redirect(
    service: Pccs, status: int
) -> None:
    service.answers[TCB] = Answer(
        service.answers[TCB].body, {"Location": f"{service.url}{IDENTITY}"}, status
    )
    with pytest.raises(PccsUnavailableError) as refusal:
        fetch(service)
    assert refusal.value.got == f"HTTP {status}"
    assert service.asked == [TCB]


@pytest.mark.parametrize(
    ("path", "answer", "error"),
    [
        (TCB, Answer(b"", {"TCB-Info-Issuer-Chain": "x"}), PccsAnswerError),
        (TCB, Answer(b"\xff\xfe", {"TCB-Info-Issuer-Chain": "x"}), PccsAnswerError),
        (TCB, Answer(b"{}"), PccsAnswerError),
        (TCB, Answer(b"{}", {"TCB-Info-Issuer-Chain": "nothing"}), PccsAnswerError),
        (IDENTITY, Answer(b"<html>"), PccsAnswerError),
        (ROOT_CRL, Answer(b""), PccsAnswerError),
        (ROOT_CRL, Answer(bytes(MAX_TEXT_SIZE + 1)), PccsAnswerError),
    ],
    ids=["empty", "not text", "no header", "no chain", "html", "empty CRL", "oversized"],
)
def test_fetch_refuses_answers_of_another_form(
    service: Pccs, path: str, answer: Answer, error: type[Exception]
) -> None:
    service.answers[path] = answer
    with pytest.raises(error):
        fetch(service)


def test_fetch_refuses_a_body_that_is_no_signed_text(service: Pccs) -> None:
    headers = service.answers[TCB].headers
    for body in (b"{}", b'{"tcbInfo":{}}', b"[" * 100_000, TDX.tcb_info.encode()):
        service.answers[TCB] = Answer(body, headers)
        with pytest.raises(CollateralInvalidError):
            fetch(service)


def test_fetch_says_unavailable_of_a_service_that_is_gone() -> None:
    with pytest.raises(PccsUnavailableError) as refusal:
        PccsClient("http://127.0.0.1:1", timeout=2).fetch(TeeKind.TDX, FMSPC, "platform")
    assert refusal.value.exit_code is ExitCode.UNAVAILABLE


def test_fetch_gives_up_on_a_service_that_drips(
    service: Pccs, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Every read is quick, and the whole takes for ever: the deadline is for the whole answer.
    real = time.monotonic
    monkeypatch.setattr("xmtp_tee.client.pccs.time.monotonic", lambda: real() * 1e6)
    with pytest.raises(PccsUnavailableError, match="too long"):
        fetch(service)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "pccs.example",
        "file:///etc/passwd",
        "ftp://pccs.example",
        "http://",
        "https://user:SECRET@pccs.example",
        "https://pccs.example/?x=SECRET",
        "https://pccs.example/#SECRET",
        "http://pccs.example:notaport",
    ],
)
def test_client_refuses_other_addresses_and_does_not_repeat_them(url: str) -> None:
    with pytest.raises(UsageError) as refusal:
        PccsClient(url)
    assert "SECRET" not in str(refusal.value.as_dict())


@pytest.mark.parametrize(
    ("tee", "fmspc", "ca"),
    [
        (TeeKind.NITRO, FMSPC, "platform"),
        (TeeKind.TDX, FMSPC[:5], "platform"),
        (TeeKind.TDX, FMSPC, "root"),
    ],
)
def test_fetch_refuses_what_no_service_has(tee: TeeKind, fmspc: bytes, ca: str) -> None:
    with pytest.raises(UsageError):
        PccsClient("http://127.0.0.1:1").fetch(tee, fmspc, ca)
