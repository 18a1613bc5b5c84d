"""Why an enclave is not trusted, in words: each reason that ``EnclaveRegistry.standing`` can give."""

from __future__ import annotations

_WORDS = {
    "EnclaveUnknown": "the enclave was never attested in this registry",
    "EnclaveInvalidated": "the attestation was found to fail and was invalidated; a fresh quote restores it",
    "EnclaveRetired": "the enclave ended its own service, for ever",
    "EnclaveRevoked": "the policy's owner revoked the enclave, for ever",
    "AttestationExpired": "the attestation's lifetime is over; a fresh quote renews it",
    "TooFewTeeKinds": "fewer kinds of TEE stand behind the enclave than the policy demands",
    "WorkloadNotTrusted": "the policy does not list the enclave's code (any more)",
    "PlatformDenied": "the policy denies this very platform",
    "FamilyDenied": "the policy denies the whole family of this platform (FMSPC)",
    "TcbStatusNotAccepted": "the platform is not up to date, and the policy has no exception for its status "
    "and advisories that counts now",
    "PlatformNotJudged": "the verifier gave no answer that can be read",
    "PlatformUnknown": "the verifier does not know the platform",
    "TcbRevoked": "Intel has revoked the platform's security level",
    "TcbLevelNotFound": "no level of Intel's newest TCB info matches the platform any more",
    "TcbInfoUnknown": "nobody has brought the platform's TCB info",
    "TcbInfoLapsed": "the platform's TCB info has lapsed; bring the newest collateral",
    "QeIdentityUnknown": "nobody has brought the quoting enclave's identity",
    "QeIdentityLapsed": "the quoting enclave's identity has lapsed; bring the newest collateral",
    "CrlMissing": "nobody has brought a revocation list that is needed",
    "CrlExpired": "a revocation list has lapsed; bring the newest collateral",
    "SignerRevoked": "AMD has revoked the certificate of the key above the platform's",
    "CertificateRevoked": "Intel has revoked the platform's certificate",
    "CertificateExpired": "the platform's certificate has expired",
    "AuthorityRevoked": "an intermediate certificate has been revoked",
    "AuthorityExpired": "an intermediate certificate has expired",
    "RootExpired": "the pinned root certificate has expired",
}


def in_words(reason: str) -> str:
    """Return the reason for people, with the contract's error in parentheses; an unknown one as it is."""
    words = _WORDS.get(reason)
    return reason if words is None else f"{words} ({reason})"
