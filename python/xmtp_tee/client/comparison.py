"""Judges a registered bundle: what the chain says of it, and whether the enclave agrees field by field."""

from __future__ import annotations

from collections.abc import Iterator

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.address import parse_address
from xmtp_tee.attestation.errors import PreKeySignatureInvalidError
from xmtp_tee.attestation.kinds import TcbStatus
from xmtp_tee.attestation.pre_key import verify_pre_key_signature
from xmtp_tee.client.chain_errors import RegistrationMismatch, RegistrationRefused
from xmtp_tee.client.key_manager import KeyManager
from xmtp_tee.client.on_chain_key import OnChainKey
from xmtp_tee.client.published import KeyState, Standing
from xmtp_tee.client.reasons import in_words
from xmtp_tee.client.registry_reader import RegistryReader
from xmtp_tee.errors import ExitCode, XmtpTeeError
from xmtp_tee.verdict import Check, CheckResult, Verdict

PASS, WARN, FAIL, NOT_CHECKED = (
    CheckResult.PASS,
    CheckResult.WARN,
    CheckResult.FAIL,
    CheckResult.NOT_CHECKED,
)
POLICY = ExitCode.REFUSED_BY_POLICY

_NOT_SHOWN = (
    "that the owner of the address is the person you mean",
    "that nobody attacks the TEE by side channels or by physical access",
    "anything about keys that are not in this bundle",
)


def judge_registration(
    reader: RegistryReader,
    owner: str,
    identity_key: bytes,
    *,
    keys: KeyManager | None = None,
    accept_simulated: bool = False,
) -> Verdict:
    """Return the verdict on a bundle at the chain's time. Without ``keys`` the enclave is not asked.

    :raises NotRegistered: there is nothing to judge
    """
    key = reader.find(owner, identity_key)
    now = reader.chain.block().timestamp
    checks = [
        *_standing(reader, key, now, accept_simulated=accept_simulated),
        *_pre_key_signature(reader, key),
        *(_enclave(reader, key, keys) if keys is not None else _enclave_not_asked()),
    ]
    trusted = not any(check.result is FAIL for check in checks)
    return Verdict(
        subject=f"the bundle 0x{identity_key.hex()[:16]}... of {key.owner}",
        judged_at=now,
        level=key.assurance if trusted else AssuranceLevel.NONE,
        checks=tuple(checks),
        not_shown=_NOT_SHOWN,
    )


def require_verified(verdict: Verdict) -> None:
    """Raise unless the verdict is good.

    :raises RegistrationMismatch: a check failed that makes the evidence invalid
    :raises RegistrationRefused: only checks of policy failed
    """
    if verdict.exit_code is ExitCode.VERIFIED:
        return
    failed = "; ".join(f"{check.name}: {check.got}" for check in verdict.failed)
    if verdict.exit_code is POLICY:
        raise RegistrationRefused("the bundle may not be relied on", verdict=verdict, got=failed)
    raise RegistrationMismatch("the bundle does not verify", verdict=verdict, got=failed or None)


def _standing(
    reader: RegistryReader, key: OnChainKey, now: int, *, accept_simulated: bool
) -> Iterator[Check]:
    simulated = key.assurance is AssuranceLevel.SIMULATED or reader.deployment.development_root
    yield Check(
        "root",
        PASS if not simulated else (WARN if accept_simulated else FAIL),
        "development root" if simulated else "vendor's root",
        "vendor's root",
        "Anyone can forge evidence under a development root.",
        POLICY,
    )
    trusted, reason = reader.enclave_standing(parse_address(key.authority))
    yield Check(
        "enclave",
        PASS if trusted else FAIL,
        f"{key.authority}: {in_words(reason) or 'trusted'}",
        "attested, not expired, workload and TCB level accepted now",
        "The authority's quote was verified on chain; its standing is judged anew at every read.",
        POLICY,
    )
    yield _kinds(reader, key.authority)
    yield _platform(key, now)
    yield Check(
        "state",
        PASS if key.state is KeyState.ACTIVE else FAIL,
        key.state.name.lower(),
        "active",
        "A revoked bundle never comes back.",
        POLICY,
    )
    yield Check(
        "expiry",
        PASS if now < key.expires_at else FAIL,
        f"{key.expires_at - now} s left"
        if now < key.expires_at
        else f"{now - key.expires_at} s ago",
        "in the future",
        "An expired pre-key must not be used.",
        POLICY,
    )
    yield Check(
        "standing",
        PASS if key.standing is Standing.TRUSTED else FAIL,
        key.standing.label,
        Standing.TRUSTED.label,
        "The registry's own answer, an agent's transfer to another holder included.",
        POLICY,
    )


def _kinds(reader: RegistryReader, authority: str) -> Check:
    """Which kinds of TEE stand, with the reason for each that does not, against what the policy demands."""
    demand, kinds = reader.tee_demand(), reader.kinds_of(authority)
    met = demand.is_met_by(kind.tee for kind in kinds if kind.stands)
    return Check(
        "kinds of TEE",
        PASS if met else FAIL,
        "; ".join(kind.words for kind in kinds) or "none has attested it",
        demand.words,
        "Where several vendors vouch for one enclave, a forger has to break them all.",
        POLICY,
    )


def _platform(key: OnChainKey, now: int) -> Check:
    """The platform by itself, so that a reader sees why an enclave failed, or that an exception carries it."""
    platform = key.platform
    denied = platform.platform_denied or platform.family_denied
    result = PASS
    if platform.problem or denied:
        result = FAIL
    elif platform.status is not TcbStatus.UP_TO_DATE:
        result = WARN if platform.allowed_until > now else FAIL
    return Check(
        "platform",
        result,
        platform.in_words,
        "UpToDate under the newest collateral on chain, and not denied",
        "Newer collateral, a revocation or a denial ends trust at once, without a transaction per key.",
        POLICY,
    )


def _pre_key_signature(reader: RegistryReader, key: OnChainKey) -> Iterator[Check]:
    name, why = "pre-key signature", "The chain does not check Ed25519; every reader has to."
    expected = "signed by the identity key over owner, epoch and expiry"
    try:
        verify_pre_key_signature(
            owner=parse_address(key.owner),
            identity_key=key.identity_key,
            pre_key=key.pre_key,
            epoch=key.epoch,
            expires_at=key.expires_at,
            signature=reader.pre_key_signature(key),
        )
    except PreKeySignatureInvalidError as error:
        yield Check(name, FAIL, error.message, expected, why)
    except XmtpTeeError as error:
        yield Check(name, NOT_CHECKED, str(error), expected, why)
    else:
        yield Check(name, PASS, "valid", expected, why)


def _enclave(reader: RegistryReader, key: OnChainKey, keys: KeyManager) -> Iterator[Check]:
    info = keys.info()
    yield _same(
        "authority",
        key.authority,
        info.authority,
        "This enclave certified the bundle.",
    )
    try:
        identity = keys.get_identity_key(key.owner)
    except XmtpTeeError as error:
        yield Check("identity key", FAIL, error.message, "in this enclave", "The key lives here.")
        return
    yield _same(
        "identity key", key.identity_key.hex(), identity.public_key.hex(), "The key lives here."
    )
    yield _same("provenance", key.provenance.label, identity.provenance, "Where the key came from.")
    pre_keys = keys.get_pre_keys(identity.id)
    own = next((pre_key for pre_key in pre_keys if pre_key.public_key == key.pre_key), None)
    if own is None:
        yield Check(
            "pre-key",
            FAIL,
            "0x" + key.pre_key.hex(),
            "one of the enclave's pre-keys",
            "Only the enclave can open what is encrypted to it.",
        )
        return
    newest = max(pre_key.epoch for pre_key in pre_keys)
    yield Check(
        "pre-key",
        PASS if own.epoch == newest else WARN,
        f"epoch {own.epoch}, 0x{own.public_key.hex()}",
        f"the enclave's newest, epoch {newest}",
        "Only the enclave can open what is encrypted to it.",
    )
    yield _same("epoch", key.epoch, own.epoch, "Epochs only grow.")
    yield _same("expiry (field)", key.expires_at, own.expires_at, "Both promise the same time.")
    try:
        published = reader.pre_key_signature(key)
    except XmtpTeeError as error:
        yield Check("published signature", NOT_CHECKED, str(error), "0x" + own.signature.hex())
        return
    yield _same(
        "published signature", published.hex(), own.signature.hex(), "Read from the event log."
    )


def _same(name: str, chain: object, enclave: object, why: str) -> Check:
    return Check(name, PASS if chain == enclave else FAIL, str(chain), str(enclave), why)


def _enclave_not_asked() -> Iterator[Check]:
    yield Check(
        "comparison with the enclave",
        NOT_CHECKED,
        "no enclave was asked",
        "every field as in the enclave",
        "Only the operator can ask the enclave itself; the chain's record stands without it.",
    )
