"""Evidence for the chain: its bytes, piece by piece, as contracts/attestation/nitro reads them."""

from __future__ import annotations

import pytest

from tests.attestation.nitro.support import DOCUMENT, NOW, ROOT, recipe, verify
from xmtp_tee.attestation.ecdsa384 import certificate_signature, p384_key
from xmtp_tee.attestation.nitro.evidence import certificate_ids, nitro_evidence
from xmtp_tee.attestation.p384 import NoWitnessError
from xmtp_tee.attestation.p384.signed import witness_of
from xmtp_tee.attestation.simulator.nitro import DevelopmentNitroPki
from xmtp_tee.hashing import keccak256

CHAIN = verify(DOCUMENT).chain


def pieces(evidence: bytes) -> tuple[int, int, bytes, bytes, list[bytes]]:
    """Kind, form, document, its witness, the certificates' witnesses."""
    position = 2

    def sized() -> bytes:
        nonlocal position
        length = int.from_bytes(evidence[position : position + 2], "big")
        position += 2 + length
        return evidence[position - length : position]

    document, own = sized(), sized()
    count = evidence[position]
    position += 1
    witnesses = [sized() for _ in range(count)]
    assert position == len(evidence)
    return evidence[0], evidence[1], document, own, witnesses


def test_warm_evidence_is_the_document_and_one_witness() -> None:
    kind, form, document, own, witnesses = pieces(nitro_evidence(DOCUMENT, 0))
    parsed = verify(DOCUMENT).document
    assert (kind, form, document, witnesses) == (3, 0, DOCUMENT, [])
    assert own == witness_of(p384_key(CHAIN.leaf), parsed.signature, parsed.signed)


def test_cold_evidence_has_a_witness_for_every_certificate_below_the_root() -> None:
    *_, own, witnesses = pieces(nitro_evidence(DOCUMENT))
    assert len({own, *witnesses}) == 5
    regional, root = CHAIN.certificates[1], CHAIN.certificates[0]
    expected = witness_of(p384_key(root), certificate_signature(regional), regional.tbs)
    assert witnesses[0] == expected
    assert pieces(nitro_evidence(DOCUMENT, 1))[4] == witnesses[3:]


def test_ids_are_hashes_of_what_is_signed_in_a_certificate() -> None:
    ids = certificate_ids(DOCUMENT)
    assert ids == tuple(keccak256(c.tbs)[:20] for c in CHAIN.certificates)
    # Two documents of one hour have the same chain, one of the next day has not.
    assert certificate_ids(recipe(nonce=b"n").build(NOW + 60)) == ids
    assert certificate_ids(recipe().build(NOW + 86_400))[0] == ids[0]
    assert certificate_ids(recipe().build(NOW + 86_400))[4] != ids[4]


def test_a_document_with_a_wrong_signature_has_no_evidence() -> None:
    forged = recipe(signer=DevelopmentNitroPki(b"an attacker's own root").key("forger"))
    with pytest.raises(NoWitnessError):
        nitro_evidence(forged.build(NOW), 0)


@pytest.mark.parametrize("unknown", [-1, 5])
def test_a_count_that_the_chain_does_not_have_is_refused(unknown: int) -> None:
    with pytest.raises(ValueError, match="unknown certificates"):
        nitro_evidence(DOCUMENT, unknown)


def test_the_root_is_the_pinned_one() -> None:
    assert CHAIN.certificates[0].der == ROOT
