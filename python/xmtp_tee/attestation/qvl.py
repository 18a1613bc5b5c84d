"""dcap-qvl, the independent DCAP verifier, behind our errors.

It verifies in one call, in this order: TCB info and QE identity (signer chains, validity, CRLs, signature); PCK
chain; QE report signature; attestation key; QE identity; quote signature; TCB level and TDX module; attributes.
It says what failed in words only. Those of the pinned version are mapped below, each by a test; words that are
not known mean "not genuine", so a new version can lose distinctions but never accept more.
"""

from __future__ import annotations

from dataclasses import dataclass

from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.errors import (
    CertificateRevokedError,
    CollateralInvalidError,
    CollateralLapsedError,
    CollateralNotYetValidError,
    DebugEnabledError,
    PlatformMismatchError,
    QuoteNotGenuineError,
    QuotingEnclaveRefusedError,
    ServiceTdNotJudgedError,
    TcbLevelNotFoundError,
    TcbRevokedError,
    TdAttributesRefusedError,
)
from xmtp_tee.attestation.kinds import TcbStatus
from xmtp_tee.errors import XmtpTeeError

_PREFIX = "Verification failed: "

# Text that the message starts with -> what it means. The first match counts.
_MEANINGS: tuple[tuple[str, type[XmtpTeeError], str], ...] = (
    ("Debug mode is enabled", DebugEnabledError, "The TD or the enclave runs in debug mode."),
    ("Invalid MR service TD", ServiceTdNotJudgedError, "The TD has a service TD."),
    (
        "Reserved bits in TD attributes",
        TdAttributesRefusedError,
        "Reserved TD attributes are set.",
    ),
    ("TD profiling is enabled", TdAttributesRefusedError, "The TD can be profiled by the host."),
    ("SERVTD_EXT is enabled", TdAttributesRefusedError, "The TD has extended service TDs."),
    ("TD migration is enabled", TdAttributesRefusedError, "The TD can be migrated."),
    (
        "SEPT_VE_DISABLE is not enabled",
        TdAttributesRefusedError,
        "The host can inject #VE into the TD.",
    ),
    ("TCB status is invalid: Revoked", TcbRevokedError, "The platform's TCB is revoked."),
    (
        "No matching TCB level",
        TcbLevelNotFoundError,
        "The platform is below every TCB level that Intel lists.",
    ),
    (
        "TDX module",
        TcbLevelNotFoundError,
        "The TDX module is not one that Intel lists for this platform.",
    ),
    ("Fmspc mismatch", PlatformMismatchError, "The TCB info is for another platform family."),
    ("QE report hash", QuoteNotGenuineError, "The QE report does not bind the attestation key."),
    (
        "QE report validation failed",
        QuotingEnclaveRefusedError,
        "The quoting enclave runs in debug mode.",
    ),
    (
        "QE ",
        QuotingEnclaveRefusedError,
        "The quoting enclave is not the one that Intel describes.",
    ),
    ("TCBInfo expired", CollateralLapsedError, "The TCB info has lapsed."),
    ("QE Identity expired", CollateralLapsedError, "The QE identity has lapsed."),
    ("CrlExpired", CollateralLapsedError, "A CRL has lapsed."),
    ("TCBInfo issue date", CollateralNotYetValidError, "The TCB info is from the future."),
    ("QE Identity issue date", CollateralNotYetValidError, "The QE identity is from the future."),
    ("Failed to decode TcbInfo", CollateralInvalidError, "The TCB info cannot be read."),
    ("Failed to decode QeIdentity", CollateralInvalidError, "The QE identity cannot be read."),
    ("Unrecognized TCB status", CollateralInvalidError, "The TCB status is unknown."),
    ("Unsupported QE Identity", CollateralInvalidError, "The QE identity is of another kind."),
    (
        "Signature is invalid for tcb_info",
        CollateralInvalidError,
        "The TCB info's signature is wrong.",
    ),
    (
        "Signature is invalid for qe_identity",
        CollateralInvalidError,
        "The QE identity's signature is wrong.",
    ),
    ("Failed to parse root CA CRL", CollateralInvalidError, "The root CA's CRL is not the root's."),
    ("Failed to parse CRL", CollateralInvalidError, "A CRL cannot be read."),
)


_RELAUNCH = {
    "TDRelaunchAdvised": TcbStatus.OUT_OF_DATE,
    "TDRelaunchAdvisedConfigurationNeeded": TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED,
}


@dataclass(frozen=True, slots=True)
class QvlReport:
    """What dcap-qvl found: the converged status, and the list of Intel's advisories that apply."""

    status: TcbStatus
    advisory_ids: tuple[str, ...]


def run_dcap_qvl(
    quote: bytes, collateral: Collateral, pck_chain: str, root_ca_der: bytes, now: int
) -> QvlReport:
    """Verify a quote under a root at a time (unix seconds); ``pck_chain`` (PEM) stands for the quote's own.

    :raises InvalidEvidenceError: it is not genuine
    :raises CollateralUnavailableError: collateral is not in force
    :raises RefusedByPolicyError: genuine, and refused: debug, TD attributes, revoked TCB
    """
    import dcap_qvl

    try:
        report = dcap_qvl.verify_with_root_ca(
            quote, collateral.to_dcap_qvl(pck_chain), root_ca_der, now
        )
    except ValueError as error:
        raise translate(str(error)) from error
    return QvlReport(read_status(report.status), tuple(report.advisory_ids))


def read_status(name: str) -> TcbStatus:
    """Return the status that dcap-qvl names.

    It refines "out of date" to "relaunch advised" where a TD 1.5 was started by an old TDX module that has been
    replaced since. The TD's secrets passed through the old module, so that is out of date here, as on chain.

    :raises QuoteNotGenuineError: the name is unknown
    """
    return _RELAUNCH.get(name) or TcbStatus.from_intel_name(name)


def translate(message: str) -> XmtpTeeError:
    """Return the typed error for dcap-qvl's words."""
    words = message.removeprefix(_PREFIX)
    cause = " ".join(words.split())[:300]
    if "CertRevoked" in words:
        return CertificateRevokedError("A certificate of the chain has been revoked.", cause=cause)
    for start, kind, text in _MEANINGS:
        if words.startswith(start):
            return kind(text, cause=cause)
    return QuoteNotGenuineError(
        "The quote is not genuine under the pinned root: a signature, a certificate or its form is wrong.",
        cause=cause,
    )
