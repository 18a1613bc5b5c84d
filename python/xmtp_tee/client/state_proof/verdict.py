"""Judges a bundle by proofs alone: which checks a block hash supports, and which it cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.address import checksum_address
from xmtp_tee.attestation.errors import PreKeySignatureInvalidError
from xmtp_tee.attestation.pre_key import verify_pre_key_signature
from xmtp_tee.client.chain_errors import NotRegistered
from xmtp_tee.client.deployment import Deployment
from xmtp_tee.client.published import KeyState
from xmtp_tee.client.state_proof.registries import ProvenBundle, ProvenEnclave, ProvenRegistries
from xmtp_tee.client.state_proof.words import EnclaveState
from xmtp_tee.errors import ExitCode, XmtpTeeError
from xmtp_tee.verdict import Check, CheckResult, Verdict

PASS, WARN, FAIL, NOT_CHECKED = (
    CheckResult.PASS,
    CheckResult.WARN,
    CheckResult.FAIL,
    CheckResult.NOT_CHECKED,
)
POLICY = ExitCode.REFUSED_BY_POLICY
# How to get the published signature over a bundle's pre-key: from anyone, since it proves itself.
SignatureSource = Callable[[ProvenBundle], bytes]

_NOT_SHOWN = (
    "that the deployment file names genuine contracts: their addresses are taken from it",
    "what happened after the trusted block",
    "that the owner of the address is the person you mean",
    "that nobody attacks the TEE by side channels or by physical access",
)


def judge_proven(
    registries: ProvenRegistries,
    deployment: Deployment,
    owner: str,
    identity_key: bytes,
    signature_of: SignatureSource,
    *,
    accept_simulated: bool = False,
) -> Verdict:
    """Return the verdict on a bundle as of the trusted block, whose time is the verdict's.

    :raises NotRegistered: there provably is no such bundle
    :raises StateProofInvalid: the node shows no proof
    """
    header = registries.header
    bundle = registries.bundle(owner, identity_key)
    if bundle.word.state is KeyState.NONE:
        raise NotRegistered(
            "there provably is no such bundle at the trusted block",
            got=f"owner {owner}, identity key 0x{identity_key.hex()}",
            expected=f"a bundle at block {header.number}",
        )
    now = header.timestamp
    enclave = registries.enclave(bundle.word.authority)
    level = registries.workload_level(enclave.workload)
    kinds, counted_level = _kinds(registries, bundle, enclave, now)
    simulated = deployment.development_root
    checks = (
        Check(
            "block",
            PASS,
            f"{header.number}, 0x{header.hash.hex()}",
            "the trusted hash",
            "Every value below was proven from this hash; the node was believed in nothing.",
        ),
        _root(simulated=simulated, accept_simulated=accept_simulated),
        *_enclave(bundle, enclave, now),
        Check(
            "workload",
            PASS if level is not AssuranceLevel.NONE else FAIL,
            f"0x{enclave.workload.hex()}",
            "listed in the policy",
            "The code that certified the bundle is trusted by the policy's owner.",
            POLICY,
        ),
        *_denials(registries, enclave),
        kinds,
        *_bundle(bundle, now),
        _pre_key_signature(bundle, signature_of),
        Check(
            "TCB level",
            NOT_CHECKED,
            "not stored as a word that decides by itself",
            "accepted under the newest collateral",
            "The level follows from collateral by computation: a node that you trust says it (status, verify).",
        ),
    )
    good = not any(check.result is FAIL for check in checks)
    ceiling = AssuranceLevel.SIMULATED if simulated else AssuranceLevel.MEMBER
    return Verdict(
        subject=f"the bundle 0x{identity_key.hex()[:16]}... of {checksum_address(bundle.owner)}",
        judged_at=now,
        level=min(level, ceiling, counted_level) if good else AssuranceLevel.NONE,
        checks=checks,
        not_shown=_NOT_SHOWN,
    )


def _root(*, simulated: bool, accept_simulated: bool) -> Check:
    return Check(
        "root",
        PASS if not simulated else (WARN if accept_simulated else FAIL),
        "development root" if simulated else "vendor's root",
        "vendor's root",
        "Anyone can forge evidence under a development root. The deployment file says which it is.",
        POLICY,
    )


def _enclave(bundle: ProvenBundle, enclave: ProvenEnclave, now: int) -> Iterator[Check]:
    word = enclave.word
    yield Check(
        "enclave",
        PASS if word.state is EnclaveState.ATTESTED else FAIL,
        f"{bundle.word.authority}: {word.state.name.lower()}",
        "attested",
        "The authority's quote was verified on chain.",
        POLICY,
    )
    yield Check(
        "attestation",
        PASS if now < word.expires_at else FAIL,
        f"until {word.expires_at}",
        f"later than {now}",
        "An attestation counts for a bounded time.",
        POLICY,
    )


def _kinds(
    registries: ProvenRegistries, bundle: ProvenBundle, first: ProvenEnclave, now: int
) -> tuple[Check, AssuranceLevel]:
    """Whether as many kinds of TEE stand as the policy demands, and the lowest level among those that may."""
    demand = registries.tee_demand()
    lowest, words = AssuranceLevel.MEMBER, []
    sure = possible = 0
    for kind in demand.kinds:
        is_first = first.word.tee is kind
        enclave = first if is_first else registries.further(bundle.word.authority, kind)
        attested = enclave.word.state is EnclaveState.ATTESTED and now < enclave.word.expires_at
        level = registries.workload_level(enclave.workload) if attested else AssuranceLevel.NONE
        if level is AssuranceLevel.NONE:
            words.append(f"{kind.label}: not attested now by listed code")
            continue
        denials = registries.denials(kind, enclave.word.platform)
        if denials.platform_denied or denials.family_denied:
            words.append(f"{kind.label}: denied")
            continue
        proven = denials.platform_denied is not None and denials.family_denied is not None
        words.append(f"{kind.label}: attested" + ("" if proven else ", denial not proven"))
        possible, sure = possible + 1, sure + proven
        lowest = min(lowest, level)
    result = PASS if sure >= demand.required else NOT_CHECKED
    if possible < demand.required:
        result = FAIL
    check = Check(
        "kinds of TEE",
        result,
        "; ".join(words) or "none is demanded",
        demand.words,
        "Where several vendors vouch for one enclave, a forger has to break them all.",
        POLICY,
    )
    return check, lowest


def _denials(registries: ProvenRegistries, enclave: ProvenEnclave) -> Iterator[Check]:
    denials = registries.denials(enclave.word.tee, enclave.word.platform)
    for name, denied in (
        ("platform denial", denials.platform_denied),
        ("family denial", denials.family_denied),
    ):
        yield Check(
            name,
            NOT_CHECKED if denied is None else (FAIL if denied else PASS),
            "it is not proven which platform this is"
            if denied is None
            else ("denied" if denied else "not denied"),
            "not denied by the policy",
            "The policy's owner may deny a machine or a whole model.",
            POLICY,
        )


def _bundle(bundle: ProvenBundle, now: int) -> Iterator[Check]:
    word = bundle.word
    yield Check(
        "state",
        PASS if word.state is KeyState.ACTIVE else FAIL,
        word.state.name.lower(),
        "active",
        "A revoked bundle never comes back.",
        POLICY,
    )
    yield Check(
        "expiry",
        PASS if now < word.expires_at else FAIL,
        f"{word.expires_at - now} s left"
        if now < word.expires_at
        else f"{now - word.expires_at} s ago",
        "in the future",
        "An expired pre-key must not be used.",
        POLICY,
    )
    if bundle.is_agents:
        yield Check(
            "agent's holder",
            NOT_CHECKED,
            f"{checksum_address(bundle.holder)} at the registration",
            "still the holder",
            "A transfer ends the standing of an agent's bundle; the identity registry's layout is not known.",
        )


def _pre_key_signature(bundle: ProvenBundle, signature_of: SignatureSource) -> Check:
    name, why = "pre-key signature", "It proves itself over proven values, wherever it comes from."
    expected = "signed by the identity key over owner, epoch and expiry"
    try:
        verify_pre_key_signature(
            owner=bundle.owner,
            identity_key=bundle.identity_key,
            pre_key=bundle.pre_key,
            epoch=bundle.word.epoch,
            expires_at=bundle.word.expires_at,
            signature=signature_of(bundle),
        )
    except PreKeySignatureInvalidError as error:
        return Check(name, FAIL, error.message, expected, why)
    except XmtpTeeError as error:
        return Check(name, NOT_CHECKED, str(error), expected, why)
    return Check(name, PASS, "valid", expected, why)
