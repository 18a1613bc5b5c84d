"""The packed attestationProof: what is encoded decodes to the same, and nothing else does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.maker import Maker
from xmtp_tee.attestation.kinds import Provenance
from xmtp_tee.client.proof import (
    CERTIFICATE_SIZE,
    LARGEST_EPOCH,
    LATEST_EXPIRY,
    SHORTEST_WITH_EVIDENCE,
    Evidence,
    ProofError,
    decode_proof,
    encode_proof,
)

MAKER = Maker()
REGISTRY, OWNER = b"\x01" * 20, b"\x02" * 20
CERTIFICATE = MAKER.certificate(
    chain_id=1, key_registry=REGISTRY, owner=OWNER, expires_at=1_900_000_000
)
ATTESTATION = MAKER.attestation(
    chain_id=1, enclave_registry=b"\x03" * 20, block_number=0x0102030405, block_hash=bytes(32)
)


def test_proof_by_certificate_is_these_96_bytes() -> None:
    proof = encode_proof(CERTIFICATE, MAKER.authority)
    assert proof == (
        b"\x01"
        + b"\x01"
        + MAKER.authority
        + (1).to_bytes(4, "big")
        + (1_900_000_000).to_bytes(5, "big")
        + CERTIFICATE.signature
    )
    assert len(proof) == CERTIFICATE_SIZE


def test_proof_with_evidence_appends_key_block_and_evidence() -> None:
    proof = encode_proof(CERTIFICATE, MAKER.authority, Evidence(ATTESTATION, b"\x02quote"))
    assert proof[CERTIFICATE_SIZE:] == (
        MAKER.transport_key + bytes.fromhex("0102030405") + b"\x02quote"
    )
    stated = decode_proof(proof)
    assert (stated.authority, stated.epoch, stated.expires_at) == (
        MAKER.authority,
        1,
        1_900_000_000,
    )
    assert (stated.transport_key, stated.block_number) == (MAKER.transport_key, 0x0102030405)
    assert stated.evidence == b"\x02quote"
    assert stated.provenance is Provenance.GENERATED
    assert stated.signature == CERTIFICATE.signature


@given(st.binary(max_size=200))
def test_any_bytes_are_a_whole_proof_or_refused(data: bytes) -> None:
    try:
        stated = decode_proof(data)
    except ProofError:
        return
    again = (
        bytes([1, stated.provenance])
        + stated.authority
        + stated.epoch.to_bytes(4, "big")
        + stated.expires_at.to_bytes(5, "big")
        + stated.signature
    )
    if stated.evidence:
        again += stated.transport_key + stated.block_number.to_bytes(5, "big") + stated.evidence
    assert again == data


@pytest.mark.parametrize("size", [0, 1, 95, 97, SHORTEST_WITH_EVIDENCE - 1])
def test_other_lengths_are_refused(size: int) -> None:
    proof = encode_proof(CERTIFICATE, MAKER.authority, Evidence(ATTESTATION, bytes(100)))
    with pytest.raises(ProofError, match="length"):
        decode_proof(proof[:size])


@pytest.mark.parametrize(("place", "value"), [(0, 0), (0, 2), (1, 0), (1, 4)])
def test_other_version_or_provenance_is_refused(place: int, value: int) -> None:
    proof = bytearray(encode_proof(CERTIFICATE, MAKER.authority))
    proof[place] = value
    with pytest.raises(ProofError):
        decode_proof(bytes(proof))


def test_numbers_larger_than_the_registry_stores_are_refused() -> None:
    for changes in ({"epoch": LARGEST_EPOCH + 1}, {"expires_at": LATEST_EXPIRY + 1}):
        with pytest.raises(ProofError, match="larger"):
            encode_proof(replace(CERTIFICATE, **changes), MAKER.authority)
    encode_proof(
        replace(CERTIFICATE, epoch=LARGEST_EPOCH, expires_at=LATEST_EXPIRY), MAKER.authority
    )


def test_evidence_of_another_enclave_is_refused() -> None:
    other = Maker("another")
    with pytest.raises(ProofError, match="another authority"):
        encode_proof(other.sign(CERTIFICATE), other.authority, Evidence(ATTESTATION, b"\x02"))
    with pytest.raises(ProofError, match="empty"):
        encode_proof(CERTIFICATE, MAKER.authority, Evidence(ATTESTATION, b""))
