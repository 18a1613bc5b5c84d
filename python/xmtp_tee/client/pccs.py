"""Collateral from Intel's Provisioning Certification Service (PCS) or a caching service (PCCS), API version 4.

Source: Intel SGX and TDX Provisioning Certification Service API v4; the PCCS design guide for ``rootcacrl``. What is
fetched is signed, so the connection is not what makes it trustworthy: whoever uses it verifies it. Answers are
bounded in size and time, redirects are refused, and nothing is retried.
"""

from __future__ import annotations

import re
import time
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPMessage
from typing import IO, Any
from urllib.parse import unquote, urlencode, urlsplit

from xmtp_tee.attestation.certificates import read_certificate
from xmtp_tee.attestation.collateral import MAX_TEXT_SIZE, Collateral
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.pck import read_pck_extension
from xmtp_tee.attestation.quote import Quote, parse_quote
from xmtp_tee.client.urls import http_url
from xmtp_tee.errors import InvalidEvidenceError, UnavailableError, UsageError

INTEL_PCS_URL = "https://api.trustedservices.intel.com"
INTEL_ROOT_CRL_URL = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"
PROCESSOR, PLATFORM = "processor", "platform"
_PREFIX = "certification/v4"
_TEES = {TeeKind.SGX: "sgx", TeeKind.TDX: "tdx"}
_TCB_CHAIN = ("TCB-Info-Issuer-Chain", "SGX-TCB-Info-Issuer-Chain")
_IDENTITY_CHAIN = ("SGX-Enclave-Identity-Issuer-Chain",)
_CRL_CHAIN = ("SGX-PCK-CRL-Issuer-Chain",)
_CHUNK = 1 << 16


class PccsUnavailableError(UnavailableError):
    """The service cannot be reached, does not answer in time, or answers with an error."""

    code = "pccs.unavailable"


class PccsNotFoundError(PccsUnavailableError):
    """The service knows no collateral for this platform family."""

    code = "pccs.not-found"


class PccsAnswerError(InvalidEvidenceError):
    """The service's answer is oversized, or not what the API describes."""

    code = "pccs.bad-answer"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> None:
        return None


class PccsClient:
    """One service, by the address above ``/sgx/certification/v4``.

    ``timeout`` is the time for one whole answer, in seconds. ``update`` is "early" or "standard": which TCB recovery
    the service should speak of (its own default unless given). ``root_crl_url`` is asked where the service has no
    ``rootcacrl``, which Intel's own does not.

    :raises UsageError: the address is not http(s), or carries credentials, a query or a fragment
    """

    def __init__(
        self,
        url: str = INTEL_PCS_URL,
        *,
        timeout: float = 20.0,
        update: str | None = None,
        root_crl_url: str = INTEL_ROOT_CRL_URL,
    ) -> None:
        self._base = _require_url(url)
        self._root_crl_url = _require_url(root_crl_url)
        self._timeout = timeout
        self._update = update
        self._opener = urllib.request.build_opener(_NoRedirect)

    def fetch(self, tee: TeeKind, fmspc: bytes, ca: str) -> Collateral:
        """Return the collateral of a platform family: ``fmspc`` is 6 bytes, ``ca`` "platform" or "processor".

        :raises PccsUnavailableError: no answer
        :raises PccsAnswerError: an answer of another form
        :raises CollateralInvalidError: an answer that is no collateral
        """
        if tee not in _TEES or len(fmspc) != 6 or ca not in (PLATFORM, PROCESSOR):
            raise UsageError(
                "no such collateral",
                got=f"{tee.label}, FMSPC {fmspc.hex()}, {ca} CA",
                expected="sgx or tdx, 6 bytes, platform or processor",
            )
        name = _TEES[tee]
        update = {} if self._update is None else {"update": self._update}
        tcb_info, tcb_headers = self._get(name, "tcb", {"fmspc": fmspc.hex(), **update})
        identity, identity_headers = self._get(name, "qe/identity", update)
        crl, crl_headers = self._get("sgx", "pckcrl", {"ca": ca, "encoding": "der"})
        return Collateral.from_pieces(
            tcb_info=_text(tcb_info, "TCB info"),
            qe_identity=_text(identity, "QE identity"),
            root_ca_crl=self._root_crl(),
            pck_crl=crl,
            pck_crl_issuer_chain=_chain(crl_headers, _CRL_CHAIN),
            tcb_signing_chain=_chain(tcb_headers, _TCB_CHAIN),
            qe_identity_signing_chain=_chain(identity_headers, _IDENTITY_CHAIN),
        )

    def fetch_for(self, quote: bytes | Quote) -> Collateral:
        """Return the collateral that judges a quote.

        :raises QuoteMalformedError: the bytes are no quote
        :raises QuoteNotGenuineError: its PCK certificate cannot be read
        """
        return self.fetch(*family_of(quote))

    def _root_crl(self) -> bytes:
        try:
            return self._get("sgx", "rootcacrl", {})[0]
        except PccsNotFoundError:
            return self._open(self._root_crl_url, "the root CA's revocation list")[0]

    def _get(self, tee: str, path: str, query: dict[str, str]) -> tuple[bytes, HTTPMessage]:
        address = f"{self._base}/{tee}/{_PREFIX}/{path}" + (f"?{urlencode(query)}" if query else "")
        return self._open(address, f"{tee}/{path}")

    def _open(self, address: str, what: str) -> tuple[bytes, HTTPMessage]:
        deadline = time.monotonic() + self._timeout
        host = urlsplit(address).netloc
        try:
            with self._opener.open(address, timeout=self._timeout) as answer:
                return _read(answer, what, deadline), answer.headers
        except urllib.error.HTTPError as error:
            code = error.code
            error.close()
            kind = PccsNotFoundError if code == 404 else PccsUnavailableError
            raise kind(
                f"{host} has no {what}." if code == 404 else f"{host} refuses to give {what}.",
                got=f"HTTP {code}",
                expected="HTTP 200",
                cause="A redirect is not followed." if 300 <= code < 400 else None,
            ) from error
        except (OSError, HTTPException) as error:
            raise PccsUnavailableError(
                f"{host} does not answer for {what}.",
                cause=str(getattr(error, "reason", error) or type(error).__name__)[:200],
                next_command="try again, or bring the collateral from files",
            ) from error


def family_of(quote: bytes | Quote) -> tuple[TeeKind, bytes, str]:
    """Return which collateral judges a quote: its TEE, FMSPC (6 bytes), and the CA of its PCK certificate.

    The CA is told by the issuer's name, "... PCK Processor CA" or "... PCK Platform CA". A wrong guess costs an answer
    that does not verify, no more.

    :raises QuoteMalformedError: the bytes are no quote
    :raises QuoteNotGenuineError: its PCK certificate cannot be read
    """
    parsed = quote if isinstance(quote, Quote) else parse_quote(quote)
    leaf = read_certificate(parsed.pck_leaf, "the PCK certificate")
    ca = PROCESSOR if re.search(rb"PCK Processor CA", leaf.issuer) else PLATFORM
    return parsed.tee, read_pck_extension(leaf).fmspc, ca


def _require_url(url: str) -> str:
    parts = http_url(url, "a collateral service")
    if parts.username or parts.password or parts.query or parts.fragment:
        # The address itself is not repeated: it may hold a password.
        raise UsageError(
            "this is no address of a collateral service",
            expected="http(s)://host[:port][/path], without credentials or query",
        )
    return url.rstrip("/").removesuffix(f"/sgx/{_PREFIX}")


def _read(answer: Any, what: str, deadline: float) -> bytes:
    data = b""
    while chunk := answer.read1(_CHUNK):
        data += chunk
        if len(data) > MAX_TEXT_SIZE:
            raise PccsAnswerError(
                f"The answer for {what} is too long.", expected=f"<= {MAX_TEXT_SIZE} bytes"
            )
        if time.monotonic() > deadline:
            raise PccsUnavailableError(f"The answer for {what} takes too long.")
    if not data:
        raise PccsAnswerError(f"The answer for {what} is empty.")
    return data


def _text(body: bytes, what: str) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PccsAnswerError(f"The {what} is not text.") from error


def _chain(headers: HTTPMessage, names: tuple[str, ...]) -> str:
    """Return the PEM chain that a header carries URL-encoded."""
    for name in names:
        value = headers.get(name)
        if value is not None:
            chain = unquote(value)
            if "-----BEGIN CERTIFICATE-----" not in chain:
                raise PccsAnswerError(f"The header {name} carries no certificates.", got=value[:40])
            return chain if chain.endswith("\n") else chain + "\n"
    raise PccsAnswerError("The answer carries no issuer chain.", expected=f"the header {names[0]}")
