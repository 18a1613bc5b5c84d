"""The errors of everything that talks to a chain.

``ContractRefused`` is what a contract's revert becomes: the custom error's name and decoded arguments. Its
four subclasses differ in the exit code alone, so that "not genuine", "refused by policy", "collateral has
lapsed" and "the call makes no sense" stay four answers.
"""

from __future__ import annotations

from collections.abc import Mapping

from xmtp_tee.errors import (
    ExitCode,
    InvalidEvidenceError,
    RefusedByPolicyError,
    UnavailableError,
    UsageError,
    XmtpTeeError,
)
from xmtp_tee.verdict import Verdict


class ChainUnavailable(UnavailableError):
    """The node could not be reached, or did not answer as a node does."""

    code = "chain.unavailable"


class RequestRefused(ChainUnavailable):
    """The node is there and does not do this: too wide a range, an old state, an unknown method, no time left."""

    code = "chain.request-refused"


class LogMalformed(UnavailableError):
    """The node's event logs are malformed, or are not those that were asked for. Nothing can be said by them."""

    code = "chain.log-malformed"


class TransactionNotMined(UnavailableError):
    """The transaction was sent and no receipt came in time. It may still be mined."""

    code = "chain.transaction-not-mined"


class FeeTooHigh(UnavailableError):
    """Gas is dearer now than the caller is ready to pay. Nothing was sent."""

    code = "chain.fee-too-high"


class WrongChain(UsageError):
    """The node is on another chain than the deployment. Noticed before any gas is spent."""

    code = "chain.wrong-chain"


class NoCode(UsageError):
    """There is no contract at an address of the deployment."""

    code = "chain.no-code"


class SenderError(UsageError):
    """No usable account to send from: keystore missing, wrong password, wrong owner."""

    code = "chain.sender"


class DeploymentInvalid(UsageError):
    """A deployment file is missing, unreadable or not in the format."""

    code = "deployment.invalid"


class NotRegistered(InvalidEvidenceError):
    """The registry holds no such bundle: nothing is proven, and nothing is refuted."""

    code = "registry.not-registered"


class AnchorMissing(InvalidEvidenceError):
    """No state of the enclave's store is anchored: there is nothing to compare it with."""

    code = "registry.anchor-missing"


class KeyRevoked(RefusedByPolicyError):
    """The owner revoked the bundle. It never comes back."""

    code = "registry.key-revoked"


class AgentTransferred(RefusedByPolicyError):
    """The agent that owns the bundle has another holder than when it registered it."""

    code = "registry.agent-transferred"


class KeyExpired(RefusedByPolicyError):
    """The bundle's pre-key is past its expiry."""

    code = "registry.key-expired"


class EnclaveUntrusted(RefusedByPolicyError):
    """The bundle is there, and the enclave that certified it is not trusted now."""

    code = "registry.enclave-untrusted"


class RegistrationMismatch(InvalidEvidenceError):
    """Chain and enclave disagree about a bundle. ``verdict`` has every check."""

    code = "registry.mismatch"

    def __init__(self, message: str, *, verdict: Verdict, got: str | None = None) -> None:
        super().__init__(message, got=got)
        self.verdict = verdict


class RegistrationRefused(RefusedByPolicyError):
    """The bundle is genuine, and revoked, expired, simulated or of an untrusted enclave."""

    code = "registry.refused"

    def __init__(self, message: str, *, verdict: Verdict, got: str | None = None) -> None:
        super().__init__(message, got=got)
        self.verdict = verdict


class ContractRefused(XmtpTeeError):
    """A contract reverted. ``error_name`` is the custom error, or ``0x`` and a selector if it is unknown."""

    code = "chain.refused"
    exit_code = ExitCode.INVALID_EVIDENCE

    def __init__(
        self,
        error_name: str,
        args: Mapping[str, object],
        *,
        gas_used: int | None = None,
        transaction: str | None = None,
    ) -> None:
        self.error_name = error_name
        self.error_args = dict(args)
        self.gas_used = gas_used
        self.transaction = transaction
        super().__init__(
            "the contract refused the call",
            got=self.text,
            cause=_CAUSES.get(error_name),
            next_command=_NEXT.get(error_name),
        )

    @property
    def text(self) -> str:
        """The error as Solidity writes it, with named arguments: ``BlockTooOld(got: 1, oldest: 9)``."""
        if not self.error_args and self.error_name.startswith("0x"):
            return f"unknown error {self.error_name}"
        inner = ", ".join(f"{name}: {show(value)}" for name, value in self.error_args.items())
        return f"{self.error_name}({inner})"

    def as_dict(self) -> dict[str, str | int | None]:
        """Add the contract error's name to the common object."""
        return super().as_dict() | {"contract_error": self.error_name}


class EvidenceRefused(ContractRefused):
    """Evidence, certificate or binding is not genuine."""


class PolicyRefused(ContractRefused):
    """Genuine, and refused by policy: workload, TCB status, debug, expiry, staleness."""

    exit_code = ExitCode.REFUSED_BY_POLICY


class CollateralMissing(ContractRefused):
    """The verifier lacks collateral, or what it has has lapsed."""

    exit_code = ExitCode.UNAVAILABLE


class CallRefused(ContractRefused):
    """The call does not fit the registry's state, or the sender may not make it."""

    exit_code = ExitCode.USAGE


def refusal(
    error_name: str,
    args: Mapping[str, object],
    *,
    gas_used: int | None = None,
    transaction: str | None = None,
) -> ContractRefused:
    """Return the exception for a decoded custom error.

    An error that stands in none of the lists counts as invalid evidence: an unknown refusal is never
    presented as something milder.
    """
    kind: type[ContractRefused] = EvidenceRefused
    if error_name in _POLICY:
        kind = PolicyRefused
    elif error_name in _COLLATERAL:
        kind = CollateralMissing
    elif error_name in _CALL:
        kind = CallRefused
    return kind(error_name, args, gas_used=gas_used, transaction=transaction)


def show(value: object) -> str:
    """Return a decoded ABI value for a person: bytes as hex, the rest as is."""
    if isinstance(value, bytes | bytearray):
        return "0x" + bytes(value).hex()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(show(item) for item in value) + "]"
    return str(value)


# The same failure has the same exit code off chain (xmtp_tee.attestation.errors).
_POLICY = frozenset(
    {
        "AgentTransferred",
        "AttestationExpired",
        "BlockTooOld",
        "CertificateExpired",
        "DebugEnclave",
        "EnclaveInvalidated",
        "EnclaveNotTrusted",
        "EnclaveRetired",
        "EnclaveRevoked",
        "FamilyDenied",
        "GuestPolicyRefused",
        "PlatformDenied",
        "PreKeyExpired",
        "TcbRevoked",
        "TcbStatusNotAccepted",
        "TdAttributesRefused",
        "WorkloadNotTrusted",
    }
)
_COLLATERAL = frozenset(
    {
        "BlockHashUnavailable",
        "CollateralFromFuture",
        "CollateralLapsed",
        "CrlExpired",
        "CrlMissing",
        "CrlNotYetValid",
        "EnclaveSuspended",
        "PckUnknown",
        "QeIdentityLapsed",
        "QeIdentityUnknown",
        "SignerUnknown",
        "TcbInfoLapsed",
        "TcbInfoUnknown",
    }
)
_CALL = frozenset(
    {
        "AdditionAlreadyScheduled",
        "AdditionLapsed",
        "AdditionNotCanonical",
        "AdditionNotSchedulable",
        "AdditionNotScheduled",
        "AdditionNotYetExecutable",
        "AdditionsNotLocked",
        "AgentNotControlled",
        "AgentUnknown",
        "AgentsNotSupported",
        "AnchorNotNewer",
        "AttestationNotNewer",
        "AttestationProofLength",
        "AttestationProofVersion",
        "BatchGasTooLow",
        "BlockNotYetMined",
        "DeadlineOutOfRange",
        "EnclaveStillTrusted",
        "EnforcedPause",
        "EpochNotGreater",
        "EpochTooLarge",
        "ExpectedPause",
        "ExpiryTooLarge",
        "FamilyAlreadyDenied",
        "FamilyNotDenied",
        "FloorNotRaised",
        "GuardianAlreadyAdded",
        "GuardianIsZero",
        "IdentityKeyAlreadyActive",
        "IdentityKeyLength",
        "IdentityKeyNotActive",
        "IdentityKeyRevoked",
        "KeyIsZero",
        "KeysNotDistinct",
        "NeitherOwnerNorGuardian",
        "NotAGuardian",
        "NotFloorKeeper",
        "NotThePolicyOwner",
        "OwnableUnauthorizedAccount",
        "OwnerNotDeployed",
        "PauseUnauthorized",
        "PlatformAlreadyDenied",
        "PlatformIdIsZero",
        "PlatformNotDenied",
        "PreKeyLength",
        "PreKeyReused",
        "PreKeySignatureLength",
        "RegistrationTooLong",
        "SignatureExpired",
        "SignerNotNewer",
        "StatusNotAllowed",
        "TcbStatusNotAllowable",
        "TeeKindMissing",
        "TooManyActiveBundles",
        "UnpauseUnauthorized",
        "WorkloadAlreadyTrusted",
    }
)
_CAUSES = {
    "BlockTooOld": "the quote is bound to a block that is not recent any more",
    "CertificateSignerMismatch": "the certificate was made for another owner, chain, registry or key",
    "EnclaveNotTrusted": "the enclave's attestation lapsed, or its workload or TCB level is refused now",
    "EpochNotGreater": "the certificate's pre-key is not newer than the published one",
    "AgentTransferred": "the agent has another holder since it registered the bundle",
    "EnclaveRetired": "the enclave ended its own service, for ever",
    "EnclaveRevoked": "the policy's owner revoked the enclave, for ever",
    "FamilyDenied": "the policy denies every platform of this family (FMSPC)",
    "OwnerSignatureInvalid": "the owner did not sign exactly this, or signed for another nonce, chain or registry",
    "PlatformDenied": "the policy denies this very platform (PPID)",
    "SignatureExpired": "the owner's signature is past its deadline",
    "TcbStatusNotAccepted": "Intel holds something against the platform, and the policy makes no exception for it",
    "WorkloadNotTrusted": "the policy does not list the measurement of this enclave's code",
}
_NEXT = {
    "CertificateUnknown": "xmtp-tee register or renew, which brings the chain of the evidence",
    "SignerUnknown": "xmtp-tee attest -o evidence.json, then xmtp-tee collateral signer-amd evidence.json",
    "EpochNotGreater": "xmtp-tee rotate",
    "OwnerSignatureInvalid": "xmtp-tee intent new",
    "SignatureExpired": "xmtp-tee intent new",
    "FamilyDenied": "ape run policy list",
    "PlatformDenied": "ape run policy list",
    "TcbStatusNotAccepted": "ape run policy list",
    "WorkloadNotTrusted": "ape run policy list",
}
