"""What the registries' storage words say (contracts/keys/BundleWord.sol, contracts/EnclaveWord.sol). No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from xmtp_tee.attestation.address import checksum_address
from xmtp_tee.attestation.kinds import Provenance, TeeKind
from xmtp_tee.client.published import KeyState
from xmtp_tee.client.state_proof.errors import StorageWordInvalid


class EnclaveState(IntEnum):
    """What the EnclaveRegistry records of an authority; the values are the contract's."""

    NONE = 0
    ATTESTED = 1
    INVALIDATED = 2
    RETIRED = 3
    REVOKED = 4


@dataclass(frozen=True, slots=True)
class BundleWord:
    """``authority 160 | expiresAt 32 | epoch 24 | lastChange 32 | position 4 | provenance 2 | state 2`` bits.

    ``last_change`` is the owner's, and counts in the word of the key at position 0 alone.
    """

    authority: str
    expires_at: int
    epoch: int
    last_change: int
    position: int
    provenance: Provenance
    state: KeyState

    @classmethod
    def of(cls, word: int) -> BundleWord:
        """Read a word; 0 is a bundle that never was.

        :raises StorageWordInvalid: the registry writes no such word
        """
        try:
            read = cls(
                authority=checksum_address((word >> 96).to_bytes(20, "big")),
                expires_at=(word >> 64) & 0xFFFFFFFF,
                epoch=(word >> 40) & 0xFFFFFF,
                last_change=(word >> 8) & 0xFFFFFFFF,
                position=(word >> 4) & 0xF,
                provenance=Provenance((word >> 2) & 3),
                state=KeyState(word & 3),
            )
        except ValueError as error:
            raise StorageWordInvalid("a bundle's word has no known state", got=hex(word)) from error
        there = read.state is not KeyState.NONE
        if there != bool(word) or (there and not (read.provenance and read.epoch)):
            raise StorageWordInvalid("a bundle's word contradicts itself", got=hex(word))
        return read


@dataclass(frozen=True, slots=True)
class EnclaveWord:
    """``platform 160 | blockNumber 40 | expiresAt 40 | tee 8 | state 8`` bits; ``platform`` is 20 bytes."""

    platform: bytes
    block_number: int
    expires_at: int
    tee: TeeKind
    state: EnclaveState

    @classmethod
    def of(cls, word: int) -> EnclaveWord:
        """Read a word; 0 is an authority of which nothing is recorded.

        :raises StorageWordInvalid: the registry writes no such word
        """
        try:
            read = cls(
                platform=(word >> 96).to_bytes(20, "big"),
                block_number=(word >> 56) & 0xFFFFFFFFFF,
                expires_at=(word >> 16) & 0xFFFFFFFFFF,
                tee=TeeKind((word >> 8) & 0xFF),
                state=EnclaveState(word & 0xFF),
            )
        except ValueError as error:
            raise StorageWordInvalid("an enclave's word is unknown", got=hex(word)) from error
        if (read.state is EnclaveState.NONE) != (word == 0):
            raise StorageWordInvalid("an enclave's word contradicts itself", got=hex(word))
        if read.state is EnclaveState.ATTESTED and read.tee is TeeKind.NONE:
            raise StorageWordInvalid("an attested enclave has no kind of TEE", got=hex(word))
        return read


@dataclass(frozen=True, slots=True)
class PlatformId:
    """Which machine and which model, from the DCAP verifier's record: 16 bytes each, as the policy names them."""

    instance: bytes
    family: bytes

    @classmethod
    def of(cls, standing: int, judgement: int) -> PlatformId:
        """Read the record's first two words (contracts/attestation/dcap/DcapVerifier.sol, PlatformWords)."""
        instance = (judgement >> 128).to_bytes(16, "big")
        fmspc = ((standing >> 64) & 0xFFFFFFFFFFFF).to_bytes(6, "big")
        return cls(instance, fmspc + bytes(10))
