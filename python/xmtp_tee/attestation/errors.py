"""What can be wrong with evidence.

The tree, below the base of :mod:`xmtp_tee.errors`::

    InvalidEvidenceError                      exit 2: it proves nothing
    ├── QuoteMalformedError                   the bytes are not a quote of the format
    │   ├── QuoteTruncatedError
    │   ├── QuoteOversizedError
    │   ├── QuoteTrailingBytesError
    │   ├── QuoteVersionUnsupportedError
    │   ├── AttestationKeyTypeUnsupportedError
    │   ├── TeeTypeUnsupportedError
    │   ├── QuoteBodyUnsupportedError
    │   ├── QeVendorUnknownError
    │   ├── QuoteReservedSetError
    │   ├── CertificationDataUnsupportedError
    │   ├── PckChainMalformedError
    │   ├── CborMalformedError                not the strict CBOR of a Nitro document
    │   ├── NitroDocumentMalformedError
    │   └── SnpReportMalformedError
    ├── AttestationMalformedError             the saved evidence around a quote cannot be read
    ├── QuoteNotGenuineError                  no chain of signatures from the pinned root to the quote
    │   ├── PlatformMismatchError             the collateral speaks of another platform
    │   ├── QuotingEnclaveRefusedError        the quoting enclave is not the one Intel describes
    │   ├── ServiceTdNotJudgedError           dcap-qvl has no opinion on a TD with a service TD
    │   ├── TcbLevelNotFoundError             no TCB level matches the platform
    │   ├── CertificateMalformedError         not the strict DER of an X.509 certificate
    │   ├── DocumentTimeError                 a document made outside of its key's life, or in the future
    │   └── CertificateRevokedError
    ├── CollateralInvalidError                collateral is not what the vendor signed
    ├── BindingMismatchError                  report_data binds something else
    ├── KeyServiceAnswerError                 a key service's answer is not what it must be
    └── CertificateInvalidError               a key bundle certificate or pre-key signature does not hold
        ├── SignatureMalformedError
        ├── CertificateSignerMismatchError
        └── PreKeySignatureInvalidError
    UnavailableError                          exit 3: nothing is known
    ├── CollateralUnavailableError
    │   ├── CollateralLapsedError
    │   └── CollateralNotYetValidError
    └── DeviceError                           the TEE's own interface fails
        └── SealRootUnavailableError
            └── KeyServiceUnavailableError
    RefusedByPolicyError                      exit 4: genuine, and refused
    ├── DebugEnabledError
    ├── TdAttributesRefusedError
    ├── EnclaveAttributesRefusedError
    ├── GuestPolicyRefusedError
    ├── TcbStatusRefusedError
    │   └── TcbRevokedError
    ├── EvidenceExpiredError
    ├── WorkloadNotTrustedError
    └── KeyServiceRefusedError
"""

from __future__ import annotations

from xmtp_tee.errors import (
    InvalidEvidenceError,
    RefusedByPolicyError,
    UnavailableError,
    UsageError,
)


class FieldError(UsageError):
    """A field of a structure that we build has the wrong length, type or range."""

    code = "attestation.bad-field"


# --- exit 2 ----------------------------------------------------------------------------------------


class QuoteMalformedError(InvalidEvidenceError):
    """The bytes do not follow the quote's format."""

    code = "attestation.quote-malformed"


class QuoteTruncatedError(QuoteMalformedError):
    """The quote ends before the structure does."""

    code = "attestation.quote-truncated"


class QuoteOversizedError(QuoteMalformedError):
    """More bytes than any quote has."""

    code = "attestation.quote-oversized"


class QuoteTrailingBytesError(QuoteMalformedError):
    """Something other than zero padding follows the quote."""

    code = "attestation.quote-trailing-bytes"


class QuoteVersionUnsupportedError(QuoteMalformedError):
    """A quote of a version that is not verified here."""

    code = "attestation.quote-version-unsupported"


class AttestationKeyTypeUnsupportedError(QuoteMalformedError):
    """The attestation key is not ECDSA over P-256."""

    code = "attestation.key-type-unsupported"


class TeeTypeUnsupportedError(QuoteMalformedError):
    """The quote is of another kind of TEE."""

    code = "attestation.tee-type-unsupported"


class QuoteBodyUnsupportedError(QuoteMalformedError):
    """The body of a version 5 quote is of another type or size than those that are verified."""

    code = "attestation.quote-body-unsupported"


class QeVendorUnknownError(QuoteMalformedError):
    """The quoting enclave is not Intel's."""

    code = "attestation.qe-vendor-unknown"


class QuoteReservedSetError(QuoteMalformedError):
    """Reserved bytes of the header are set."""

    code = "attestation.quote-reserved-set"


class CertificationDataUnsupportedError(QuoteMalformedError):
    """The certification data is not a QE report with a PCK chain in PEM."""

    code = "attestation.certification-data-unsupported"


class PckChainMalformedError(QuoteMalformedError):
    """The PEM chain in the quote is not three certificates."""

    code = "attestation.pck-chain-malformed"


class CborMalformedError(QuoteMalformedError):
    """The bytes are not the strict CBOR that a Nitro document or the Nitro device writes."""

    code = "attestation.cbor-malformed"


class NitroDocumentMalformedError(QuoteMalformedError):
    """The CBOR is not an attestation document of the Nitro Secure Module."""

    code = "attestation.nitro-document-malformed"


class SnpReportMalformedError(QuoteMalformedError):
    """The bytes are not a SEV-SNP report, or the certificate table behind it cannot be read."""

    code = "attestation.snp-report-malformed"


class AttestationMalformedError(InvalidEvidenceError):
    """The saved evidence cannot be read."""

    code = "attestation.malformed"


class QuoteNotGenuineError(InvalidEvidenceError):
    """No chain of valid signatures leads from the pinned root to this quote."""

    code = "attestation.quote-not-genuine"


class PlatformMismatchError(QuoteNotGenuineError):
    """The TCB info is for another platform family or another PCE than the quote's certificate."""

    code = "attestation.platform-mismatch"


class QuotingEnclaveRefusedError(QuoteNotGenuineError):
    """The quoting enclave is not the one that the QE identity describes, or runs in debug mode."""

    code = "attestation.quoting-enclave-refused"


class ServiceTdNotJudgedError(QuoteNotGenuineError):
    """dcap-qvl refuses every TD 1.5 with a service TD; nobody outside of verification sees this error."""

    code = "attestation.service-td-not-judged"


class TcbLevelNotFoundError(QuoteNotGenuineError):
    """The platform, its TDX module or its quoting enclave is below every level that Intel lists."""

    code = "attestation.tcb-level-not-found"


class CertificateMalformedError(QuoteNotGenuineError):
    """A certificate is not strict DER, or not of the profile that its vendor issues."""

    code = "attestation.certificate-malformed"


class DocumentTimeError(QuoteNotGenuineError):
    """The document's own timestamp lies outside of its key's life, or in the future."""

    code = "attestation.document-time"


class CertificateRevokedError(QuoteNotGenuineError):
    """A certificate of the chain is on its issuer's revocation list."""

    code = "attestation.certificate-revoked"


class CollateralInvalidError(InvalidEvidenceError):
    """The collateral cannot be read, or is not what the vendor signed."""

    code = "attestation.collateral-invalid"


class BindingMismatchError(InvalidEvidenceError):
    """The report data does not bind what the evidence claims."""

    code = "attestation.binding-mismatch"


class CertificateInvalidError(InvalidEvidenceError):
    """A key bundle certificate does not hold."""

    code = "attestation.certificate-invalid"


class SignatureMalformedError(CertificateInvalidError):
    """A signature has the wrong length, v, or an s in the upper half of the order."""

    code = "attestation.signature-malformed"


class CertificateSignerMismatchError(CertificateInvalidError):
    """The certificate was signed by another key than the authority."""

    code = "attestation.certificate-signer-mismatch"


class PreKeySignatureInvalidError(CertificateInvalidError):
    """The identity key did not sign this pre-key for this owner, epoch and expiry."""

    code = "attestation.pre-key-signature-invalid"


class KeyServiceAnswerError(InvalidEvidenceError):
    """The answer of a key service is malformed, for another key, or sealed to somebody else."""

    code = "attestation.key-service-answer"


# --- exit 3 ----------------------------------------------------------------------------------------


class CollateralUnavailableError(UnavailableError):
    """The collateral needed to judge is missing or not usable at this time."""

    code = "attestation.collateral-unavailable"


class CollateralLapsedError(CollateralUnavailableError):
    """A piece of collateral is past its next update or its expiry."""

    code = "attestation.collateral-lapsed"


class CollateralNotYetValidError(CollateralUnavailableError):
    """A piece of collateral was issued after the time of judgement."""

    code = "attestation.collateral-not-yet-valid"


class DeviceError(UnavailableError):
    """The kernel's interface to the TEE is absent, refuses, stays busy, or answers in another form."""

    code = "attestation.device"


class SealRootUnavailableError(DeviceError):
    """This TEE has no secret of its own that outlives a restart, and nothing else is configured."""

    code = "attestation.seal-root-unavailable"


class KeyServiceUnavailableError(SealRootUnavailableError):
    """The key service that keeps the sealing root does not answer, or something else answers in its place."""

    code = "attestation.key-service-unavailable"


# --- exit 4 ----------------------------------------------------------------------------------------


class DebugEnabledError(RefusedByPolicyError):
    """The TD or the enclave runs in debug mode: the host can read its memory."""

    code = "attestation.debug-enabled"


class TdAttributesRefusedError(RefusedByPolicyError):
    """TD attributes that are reserved, or that weaken the TD, are set, or SEPT_VE_DISABLE is not."""

    code = "attestation.td-attributes-refused"


class EnclaveAttributesRefusedError(RefusedByPolicyError):
    """The SGX enclave holds the provisioning or the launch key."""

    code = "attestation.enclave-attributes-refused"


class GuestPolicyRefusedError(RefusedByPolicyError):
    """The SEV-SNP guest's policy or privilege level weakens it, or has bits that are not known."""

    code = "attestation.guest-policy-refused"


class TcbStatusRefusedError(RefusedByPolicyError):
    """The platform's security level is not among the accepted ones."""

    code = "attestation.tcb-status-refused"


class TcbRevokedError(TcbStatusRefusedError):
    """The platform's security level is revoked: refused whatever the policy says."""

    code = "attestation.tcb-revoked"


class EvidenceExpiredError(RefusedByPolicyError):
    """The platform's certificate is past its expiry."""

    code = "attestation.evidence-expired"


class WorkloadNotTrustedError(RefusedByPolicyError):
    """Genuine hardware runs code that is not among the expected workloads."""

    code = "attestation.workload-not-trusted"


class KeyServiceRefusedError(RefusedByPolicyError):
    """The key service does not release the sealing root to this enclave, or not to these credentials."""

    code = "attestation.key-service-refused"
