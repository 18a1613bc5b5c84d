"""The registries' and the policy's records at a trusted block, each word proven."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.address import parse_address
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.client.chain import Chain
from xmtp_tee.client.deployment import Deployment
from xmtp_tee.client.published import KeyState
from xmtp_tee.client.state_proof.errors import StorageWordInvalid
from xmtp_tee.client.state_proof.fetch import StateReader
from xmtp_tee.client.state_proof.header import Header
from xmtp_tee.client.state_proof.layout import Place, variable
from xmtp_tee.client.state_proof.words import BundleWord, EnclaveWord, PlatformId
from xmtp_tee.client.tee_demand import TeeDemand

MAX_ACTIVE = 10


@dataclass(frozen=True, slots=True)
class ProvenBundle:
    """A bundle's two words, and who held the agent that registered it (zero: no agent's). Keys are 32 bytes."""

    owner: bytes
    identity_key: bytes
    pre_key: bytes
    word: BundleWord
    holder: bytes

    @property
    def is_agents(self) -> bool:
        """Whether an agent's holder is recorded for it."""
        return any(self.holder)


@dataclass(frozen=True, slots=True)
class ProvenEnclave:
    """An authority's attestation: its word, and its workload (32 bytes)."""

    word: EnclaveWord
    workload: bytes


@dataclass(frozen=True, slots=True)
class ProvenDenials:
    """Whether the policy denies a platform or its family. None: it is not proven which platform that is."""

    platform_denied: bool | None
    family_denied: bool | None


class ProvenRegistries:
    """One deployment's records at one block; nothing of what the node says is taken without proof."""

    def __init__(self, chain: Chain, deployment: Deployment, trusted_hash: bytes) -> None:
        self._state = StateReader(chain, trusted_hash)
        self._deployment = deployment

    @property
    def header(self) -> Header:
        """The trusted block's header."""
        return self._state.header

    def bundle(self, owner: str, identity_key: bytes) -> ProvenBundle:
        """Return a bundle; its state is NONE where there provably is none."""
        [bundle] = self._bundles(parse_address(owner), [identity_key])
        return bundle

    def active(self, owner: str) -> list[ProvenBundle]:
        """Return the owner's active bundles by position: these, and provably no others."""
        account = parse_address(owner)
        positions = variable("KeyRegistry", "_positions").at(_address_key(account))
        places = [positions.element(index) for index in range(MAX_ACTIVE)]
        words = self._words("KeyRegistry", places)
        keys = [word.to_bytes(32, "big") for word in words if word]
        found = self._bundles(account, keys)
        at = {word.to_bytes(32, "big"): index for index, word in enumerate(words) if word}
        for bundle in found:
            if (
                bundle.word.state is KeyState.NONE
                or bundle.word.position != at[bundle.identity_key]
            ):
                raise StorageWordInvalid(
                    "a bundle does not stand at the position that its own word names",
                    got=bundle.word.position,
                    expected=at[bundle.identity_key],
                )
        return [bundle for bundle in found if bundle.word.state is KeyState.ACTIVE]

    def enclave(self, authority: str) -> ProvenEnclave:
        """Return what is recorded of an authority: its first attestation, and whether it has ended."""
        key = _address_key(parse_address(authority))
        return self._attestation(variable("EnclaveRegistry", "_enclaves").at(key))

    def further(self, authority: str, tee: TeeKind) -> ProvenEnclave:
        """Return an authority's attestation by a kind of TEE other than the first's."""
        key = _address_key(parse_address(authority))
        by_kind = variable("EnclaveRegistry", "_further").at(key)
        return self._attestation(by_kind.at(_number_key(tee)))

    def tee_demand(self) -> TeeDemand:
        """Return how many of which kinds of TEE the policy demands."""
        restrictions = variable("EnclavePolicy", "_restrictions")
        required, kinds = self._words(
            "EnclavePolicy", [restrictions.member("requiredKinds"), restrictions.member("kinds")]
        )
        try:
            return TeeDemand.of(required, kinds)
        except ValueError as error:
            raise StorageWordInvalid("the policy's set of kinds is unknown", got=kinds) from error

    def _attestation(self, record: Place) -> ProvenEnclave:
        places = [record.member("word"), record.member("workload")]
        word, workload = self._words("EnclaveRegistry", places)
        return ProvenEnclave(EnclaveWord.of(word), workload.to_bytes(32, "big"))

    def workload_level(self, workload: bytes) -> AssuranceLevel:
        """Return what the policy lets a workload claim; NONE: the policy does not list it."""
        place = variable("EnclavePolicy", "_workloads").at(workload).member("level")
        [level] = self._words("EnclavePolicy", [place])
        try:
            return AssuranceLevel(level)
        except ValueError as error:
            raise StorageWordInvalid("a workload's level is unknown", got=level) from error

    def denials(self, tee: TeeKind, platform: bytes) -> ProvenDenials:
        """Return whether the policy denies the platform with this handle (20 bytes), or its family."""
        counts = variable("EnclavePolicy", "_restrictions")
        platforms, families = self._words(
            "EnclavePolicy", [counts.member("platforms"), counts.member("families")]
        )
        if not platforms and not families:
            return ProvenDenials(False, False)
        who = self._platform(platform) if tee in {TeeKind.SGX, TeeKind.TDX} else None
        if who is None:
            return ProvenDenials(None if platforms else False, None if families else False)
        denied_platforms = variable("EnclavePolicy", "_deniedPlatforms").at(_number_key(tee))
        denied_families = variable("EnclavePolicy", "_deniedFamilies").at(_number_key(tee))
        by_platform, by_family = self._words(
            "EnclavePolicy",
            [
                denied_platforms.at(_bytes_key(who.instance)),
                denied_families.at(_bytes_key(who.family)),
            ],
        )
        return ProvenDenials(bool(platforms and by_platform), bool(families and by_family))

    def _platform(self, handle: bytes) -> PlatformId | None:
        """Which platform a handle stands for, from the DCAP verifier's own record; None if it has none."""
        record = variable("DcapVerifier", "_platforms").at(_bytes_key(handle))
        standing, judgement = self._words(
            "DcapVerifier", [record.member("standing"), record.member("judgement")]
        )
        return PlatformId.of(standing, judgement) if judgement else None

    def _bundles(self, owner: bytes, identity_keys: list[bytes]) -> list[ProvenBundle]:
        records = variable("KeyRegistry", "_bundles").at(_address_key(owner))
        holders = variable("KeyRegistry", "_holders").at(_address_key(owner))
        places: list[Place] = []
        for key in identity_keys:
            record = records.at(key)
            places += [record.member("preKey"), record.member("word"), holders.at(key)]
        words = self._words("KeyRegistry", places)
        return [
            ProvenBundle(
                owner=owner,
                identity_key=key,
                pre_key=words[3 * index].to_bytes(32, "big"),
                word=BundleWord.of(words[3 * index + 1]),
                holder=words[3 * index + 2].to_bytes(20, "big"),
            )
            for index, key in enumerate(identity_keys)
        ]

    def _words(self, contract: str, places: Iterable[Place]) -> list[int]:
        wanted = list(places)
        if not wanted:
            return []
        address = parse_address(self._deployment.address(contract))
        found = self._state.words(address, [place.slot for place in wanted])
        return [place.read(found[place.slot]) for place in wanted]


def _address_key(address: bytes) -> bytes:
    return bytes(12) + address


def _number_key(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _bytes_key(value: bytes) -> bytes:
    return value.ljust(32, b"\0")
