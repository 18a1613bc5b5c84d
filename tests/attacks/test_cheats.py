"""Attacks on registration and attestation, each named, each refused on chain by its own error."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.maker import Maker, malleated
from tests.support.world import EXPIRY, MAX_BLOCK_AGE, OWNER, SECOND_OWNER, STRANGER, World
from xmtp_tee.attestation.kinds import Provenance
from xmtp_tee.attestation.simulator import QuoteRecipe, TdRecipe
from xmtp_tee.client.chain import Block
from xmtp_tee.client.chain_errors import ContractRefused
from xmtp_tee.client.proof import Evidence, ProofError, encode_proof
from xmtp_tee.errors import ExitCode

ELSEWHERE = bytes.fromhex("11" * 20)


class Refused:
    """Expects a transaction to be refused with one custom error."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.error: ContractRefused | None = None

    def __enter__(self) -> Refused:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        assert isinstance(error, ContractRefused), f"not refused, expected {self._name}"
        assert error.error_name == self._name, error.text
        self.error = error
        return True


# --- quotes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("position", [0, 20, 60, 48 + 136, 48 + 520, 48 + 583])
def test_quote_with_one_flipped_bit_is_refused(world: World, maker: Maker, position: int) -> None:
    attestation = world.attestation(maker)
    encoded = bytearray(world.evidence(attestation).encoded)
    # Kind, form, length and certificate stand before the compact quote, which ends the evidence.
    encoded[len(encoded) - 1240 + position] ^= 1
    with pytest.raises(ContractRefused):
        world.attest(attestation, evidence=bytes(encoded))


def test_quote_of_an_unknown_workload_is_refused(world: World, maker: Maker) -> None:
    recipe = QuoteRecipe(td=TdRecipe(mr_td=bytes(48)))
    with Refused("WorkloadNotTrusted") as refused:
        world.attest(world.attestation(maker, recipe=recipe))
    assert refused.error is not None
    assert refused.error.exit_code is ExitCode.REFUSED_BY_POLICY


def test_debug_quote_is_refused(world: World, maker: Maker) -> None:
    recipe = QuoteRecipe(td=TdRecipe(td_attributes=(1 << 28) | 1))
    with Refused("DebugEnclave") as refused:
        world.attest(world.attestation(maker, recipe=recipe))
    assert refused.error is not None
    assert refused.error.exit_code is ExitCode.REFUSED_BY_POLICY


def test_quote_for_another_chain_is_refused(world: World, maker: Maker) -> None:
    with Refused("ReportDataMismatch"):
        world.attest(world.attestation(maker, chain_id=1))


def test_quote_for_another_registry_is_refused(world: World, maker: Maker) -> None:
    with Refused("ReportDataMismatch"):
        world.attest(world.attestation(maker, enclave_registry=ELSEWHERE))


def test_quote_of_another_authority_is_refused(world: World, maker: Maker) -> None:
    attacker = Maker("attacker")
    with Refused("ReportDataMismatch"):
        world.attest(world.attestation(maker), authority="0x" + attacker.authority.hex())


def test_quote_with_another_transport_key_is_refused(world: World, maker: Maker) -> None:
    with Refused("ReportDataMismatch"):
        world.attest(world.attestation(maker), transport_key=bytes(range(32)))


def test_quote_bound_to_an_invented_block_hash_is_refused(world: World, maker: Maker) -> None:
    block = world.chain.block(world.chain.block().number - 1)
    with Refused("ReportDataMismatch"):
        world.attest(world.attestation(maker, Block(block.number, bytes(32), block.timestamp)))


def test_quote_bound_to_a_future_block_is_refused(world: World, maker: Maker) -> None:
    head = world.chain.block()
    with Refused("BlockNotYetMined"):
        world.attest(world.attestation(maker, Block(head.number + 5, bytes(32), 0)))


def test_quote_bound_to_a_stale_block_is_refused_at_the_boundary(
    world: World, maker: Maker
) -> None:
    world.mine(MAX_BLOCK_AGE + 2)
    # The transaction is judged in the next block.
    oldest = world.chain.block().number + 1 - MAX_BLOCK_AGE
    with world.undone(), Refused("BlockTooOld"):
        world.attest(world.attestation(maker, world.chain.block(oldest - 1)))
    world.attest(world.attestation(maker, world.chain.block(oldest)))


def test_old_quote_replayed_after_a_newer_one_is_refused(world: World, maker: Maker) -> None:
    old = world.attestation(maker)
    world.mine(3)
    world.attest(world.attestation(maker))
    with Refused("AttestationNotNewer"):
        world.attest(old)


def test_same_quote_twice_is_refused(world: World, maker: Maker) -> None:
    attestation = world.attestation(maker)
    world.attest(attestation)
    with Refused("AttestationNotNewer"):
        world.attest(attestation)


def test_evidence_of_another_tee_kind_is_refused(world: World, maker: Maker) -> None:
    attestation = world.attestation(maker)
    encoded = world.evidence(attestation).encoded
    for kind in (0, 1, 3, 4, 5, 255):
        with Refused("TeeKindUnsupported"):
            world.attest(attestation, evidence=bytes([kind]) + encoded[1:])


def test_truncated_evidence_is_refused(world: World, maker: Maker) -> None:
    attestation = world.attestation(maker)
    encoded = world.evidence(attestation).encoded
    for size in (1, 2, 3, 100, len(encoded) - 1, len(encoded) - 40):
        with pytest.raises(ContractRefused):
            world.attest(attestation, evidence=encoded[:size])


def test_evidence_with_trailing_bytes_is_refused(world: World, maker: Maker) -> None:
    attestation = world.attestation(maker)
    with pytest.raises(ContractRefused):
        world.attest(attestation, evidence=world.evidence(attestation).encoded + b"\0")


# --- certificates ---------------------------------------------------------------------------------


def test_another_owners_proof_is_refused(world: World, attested: Maker) -> None:
    certificate = world.certificate(attested, OWNER)
    with Refused("CertificateSignerMismatch"):
        world.register(certificate, attested.authority, STRANGER)
    world.register(certificate, attested.authority, OWNER)


def test_another_owners_proof_with_the_quote_is_refused(world: World, maker: Maker) -> None:
    """X1: somebody else's identity key as one's own, with the very evidence that proves it theirs."""
    evidence = world.evidence(world.attestation(maker))
    certificate = world.certificate(maker, OWNER)
    with Refused("CertificateSignerMismatch"):
        world.register(certificate, maker.authority, STRANGER, evidence=evidence)


def test_certificate_of_an_unattested_authority_is_refused(world: World, attested: Maker) -> None:
    attacker = Maker("attacker")
    with Refused("EnclaveNotTrusted"):
        world.register(world.certificate(attacker, OWNER), attacker.authority, OWNER)


def test_certificate_signed_by_another_than_it_names_is_refused(
    world: World, attested: Maker
) -> None:
    forged = world.certificate(Maker("attacker"), OWNER)
    with Refused("CertificateSignerMismatch"):
        world.register(forged, attested.authority, OWNER)


@pytest.mark.parametrize("what", ["chain_id", "key_registry"])
def test_certificate_for_elsewhere_is_refused(world: World, attested: Maker, what: str) -> None:
    value: object = 1 if what == "chain_id" else ELSEWHERE
    certificate = world.certificate(attested, OWNER, **{what: value})
    with Refused("CertificateSignerMismatch"):
        world.register(certificate, attested.authority, OWNER)


@pytest.mark.parametrize(
    "changes",
    [
        {"pre_key": bytes(range(1, 33))},
        {"identity_key": bytes(range(2, 34))},
        {"pre_key_signature": bytes(64)},
        {"epoch": 2},
        {"provenance": Provenance.IMPORTED},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_certified_field_changed_after_signing_is_refused(
    world: World, attested: Maker, changes: dict[str, Any]
) -> None:
    certificate = replace(world.certificate(attested, OWNER), **changes)
    with Refused("CertificateSignerMismatch"):
        world.register(certificate, attested.authority, OWNER)


def test_expiry_moved_after_signing_is_refused(world: World, attested: Maker) -> None:
    certificate = world.certificate(attested, OWNER)
    moved = replace(certificate, expires_at=certificate.expires_at + 1)
    with Refused("CertificateSignerMismatch"):
        world.register(moved, attested.authority, OWNER)


def test_malleated_certificate_signature_is_refused(world: World, attested: Maker) -> None:
    certificate = world.certificate(attested, OWNER)
    with Refused("ECDSAInvalidSignatureS"):
        world.register(
            replace(certificate, signature=malleated(certificate.signature)),
            attested.authority,
            OWNER,
        )


def test_expired_pre_key_is_refused(world: World, attested: Maker) -> None:
    certificate = world.certificate(attested, OWNER, expires_at=world.now - 1)
    with Refused("PreKeyExpired"):
        world.register(certificate, attested.authority, OWNER)


def test_evidence_fields_without_evidence_are_refused(world: World, attested: Maker) -> None:
    certificate = world.certificate(attested, OWNER)
    evidence = Evidence(world.attestation(attested), b"\x02")
    proof = encode_proof(certificate, attested.authority, evidence)[:-1]
    with Refused("AttestationProofLength"):
        world.register(certificate, attested.authority, OWNER, proof=proof)


def test_evidence_of_another_enclave_is_refused_by_the_client_already(
    world: World, attested: Maker
) -> None:
    other = world.evidence(world.attestation(Maker("other")))
    with pytest.raises(ProofError):
        encode_proof(world.certificate(attested, OWNER), attested.authority, other)


# --- the life of a bundle -------------------------------------------------------------------------


def test_old_pre_key_submitted_again_is_refused(world: World, registered: Maker) -> None:
    """X2: an old pre-key with its old and still valid certificate."""
    first = world.certificate(registered, OWNER)
    world.rotate(world.certificate(registered, OWNER, epoch=2), registered.authority, OWNER)
    for certificate in (first, world.certificate(registered, OWNER, epoch=2)):
        with Refused("EpochNotGreater"):
            world.rotate(certificate, registered.authority, OWNER)


def test_rotation_without_a_registration_is_refused(world: World, attested: Maker) -> None:
    """X3: an update of what was never there."""
    with Refused("IdentityKeyNotActive"):
        world.rotate(world.certificate(attested, OWNER), attested.authority, OWNER)


def test_stranger_cannot_rotate_the_owners_bundle(world: World, registered: Maker) -> None:
    with Refused("IdentityKeyNotActive"):
        world.rotate(world.certificate(registered, OWNER, epoch=2), registered.authority, STRANGER)


def test_stranger_cannot_revoke_the_owners_bundle(world: World, registered: Maker) -> None:
    function = world.contract("KeyRegistry").functions.revokeKeyBundle(
        registered.identity().public_key
    )
    with Refused("IdentityKeyNotActive"):
        world.chain.transact(function, world.senders[STRANGER])


def test_revoked_identity_key_never_returns(world: World, registered: Maker) -> None:
    """X8 turned around: the key is gone for ever, the owner is not locked out."""
    registry = world.contract("KeyRegistry")
    revoke = registry.functions.revokeKeyBundle(registered.identity().public_key)
    world.chain.transact(revoke, world.senders[OWNER])
    with Refused("IdentityKeyRevoked"):
        world.register(world.certificate(registered, OWNER, epoch=2), registered.authority, OWNER)
    another = world.certificate(registered, OWNER, identity=registered.identity("second"))
    world.register(another, registered.authority, OWNER)


def test_registration_twice_is_refused(world: World, registered: Maker) -> None:
    with Refused("IdentityKeyAlreadyActive"):
        world.register(world.certificate(registered, OWNER, epoch=2), registered.authority, OWNER)


def test_provenance_cannot_improve_by_rotation(world: World, attested: Maker) -> None:
    imported = world.certificate(attested, OWNER, provenance=Provenance.IMPORTED)
    world.register(imported, attested.authority, OWNER)
    with Refused("ProvenanceChanged"):
        world.rotate(world.certificate(attested, OWNER, epoch=2), attested.authority, OWNER)


def test_removed_workload_takes_the_trust_of_old_attestations(
    world: World, registered: Maker
) -> None:
    """X12: the measurement is removed, and old attestations are worth nothing at once."""
    from tests.support.maker import MAKER_WORKLOAD

    policy = world.contract("EnclavePolicy")
    world.chain.transact(policy.functions.removeWorkload(MAKER_WORKLOAD), world.senders[0])
    trusted, reason = world.reader.enclave_standing(registered.authority)
    assert (trusted, reason) == (False, "WorkloadNotTrusted")
    with Refused("EnclaveNotTrusted"):
        world.register(
            world.certificate(registered, SECOND_OWNER), registered.authority, SECOND_OWNER
        )


def test_expired_attestation_takes_the_trust(world: World, registered: Maker) -> None:
    world.warp(EXPIRY)
    trusted, reason = world.reader.enclave_standing(registered.authority)
    assert (trusted, reason) == (False, "AttestationExpired")


def test_stranger_cannot_change_the_policy(world: World) -> None:
    policy = world.contract("EnclavePolicy")
    for function in (
        policy.functions.addWorkload(bytes(range(32)), 4, "mine", bytes(20)),
        policy.functions.removeWorkload(bytes(range(32))),
    ):
        with Refused("OwnableUnauthorizedAccount"):
            world.chain.transact(function, world.senders[STRANGER])
