"""Genuine documents of AWS: accepted in their hours, refused outside of them, and the debug enclave's always."""

from __future__ import annotations

import random

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import load_pem_x509_certificate

from tests.attestation.nitro.support import GENUINE, GENUINE_DEBUG, ROOT, aws_root
from tests.attestation.support import Genuine, flipped
from xmtp_tee.attestation.errors import (
    DebugEnabledError,
    EvidenceExpiredError,
    NitroDocumentMalformedError,
    QuoteNotGenuineError,
)
from xmtp_tee.attestation.nitro.document import parse_document
from xmtp_tee.attestation.nitro.verify import verify_document
from xmtp_tee.attestation.nitro.workload import nitro_workload_id
from xmtp_tee.errors import InvalidEvidenceError, RefusedByPolicyError

AWS_ROOT_FINGERPRINT = "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b"
"""SHA-256 of the root certificate, as AWS publishes it."""

EXPECTED = {
    "nitro/base_attestation_2026-01.cbor": (
        "i-0368fa67e156d6d23-enc019b8596b1a9dad6",
        "850897bdf603f20402d33423eee1af24eaaed14c9e49d8260418a358e9c909e2",
        "0fbecb38957915149e37b227d6a45936",
        20,
        None,
    ),
    "nitro/marlin_sample_attestation_2024-02.cbor": (
        "i-0df237f0418feb41e-enc018d1c7ef94eb110",
        "509cf38d812b1d4440645624740c716ec44fa2fe19e77ecf68e3a97e9e6b61c8",
        "278eb17c44408772710229200de13b1b",
        42,
        32,
    ),
}


def test_the_pinned_root_is_the_certificate_that_aws_publishes(genuine: Genuine) -> None:
    certificate = load_pem_x509_certificate(genuine.read("nitro/aws_nitro_root.pem"))
    assert certificate.fingerprint(hashes.SHA256()).hex() == AWS_ROOT_FINGERPRINT


@pytest.mark.parametrize("name", GENUINE)
def test_genuine_documents_verify_in_their_hour(genuine: Genuine, name: str) -> None:
    module_id, workload, instance, user_data, public_key = EXPECTED[name]
    raw, root = genuine.read(name), aws_root(genuine)
    verified = verify_document(raw, root, GENUINE[name])
    document = verified.document
    assert document.module_id == module_id
    assert verified.workload.hex() == workload
    assert verified.workload == nitro_workload_id(*(document.pcrs[i] for i in (0, 1, 2, 8)))
    assert verified.instance.hex() == instance
    assert not verified.development
    assert document.user_data is not None
    assert len(document.user_data) == user_data
    assert (document.public_key and len(document.public_key)) == public_key
    assert document.nonce is None
    with pytest.raises(NitroDocumentMalformedError, match="report data"):
        assert verified.report_data


@pytest.mark.parametrize("name", GENUINE)
def test_genuine_documents_lapse_to_the_second(genuine: Genuine, name: str) -> None:
    raw, root = genuine.read(name), aws_root(genuine)
    window = verify_document(raw, root, GENUINE[name]).shortest
    assert verify_document(raw, root, window.end).status
    with pytest.raises(EvidenceExpiredError, match="enclave's certificate"):
        verify_document(raw, root, window.end + 1)
    with pytest.raises(EvidenceExpiredError, match="enclave's certificate"):
        verify_document(raw, root, window.start - 1)


def test_the_fixtures_list_says_when_the_newest_lapses(genuine: Genuine) -> None:
    name = "nitro/base_attestation_2026-01.cbor"
    window = verify_document(genuine.read(name), aws_root(genuine), GENUINE[name]).shortest
    assert window.end == 1_767_483_628


def test_the_genuine_debug_document_is_refused_although_its_signature_holds(
    genuine: Genuine,
) -> None:
    name, made_at = GENUINE_DEBUG
    with pytest.raises(DebugEnabledError, match="PCR0, PCR1, PCR2 zero"):
        verify_document(genuine.read(name), aws_root(genuine), made_at)


@pytest.mark.parametrize("name", GENUINE)
def test_genuine_documents_do_not_verify_under_the_development_root(
    genuine: Genuine, name: str
) -> None:
    with pytest.raises(QuoteNotGenuineError, match="pinned root"):
        verify_document(genuine.read(name), ROOT, GENUINE[name])


def _refused(raw: bytes, root: bytes, now: int) -> bool:
    try:
        verify_document(raw, root, now)
    except (InvalidEvidenceError, RefusedByPolicyError):
        return True
    return False


@pytest.mark.parametrize("name", GENUINE)
def test_one_flipped_bit_is_refused_wherever_it_is(genuine: Genuine, name: str) -> None:
    raw, root = genuine.read(name), aws_root(genuine)
    generator = random.Random(name)
    # Every byte of envelope and first fields, and a sample of the rest.
    places = [
        *range(64),
        *generator.sample(range(64, len(raw)), 60),
        *range(len(raw) - 8, len(raw)),
    ]
    for place in places:
        bit = 8 * place + generator.randrange(8)
        assert _refused(flipped(raw, bit), root, GENUINE[name]), f"bit {bit}"


@pytest.mark.proof
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("name", GENUINE)
def test_every_changed_byte_is_refused(genuine: Genuine, name: str) -> None:
    raw, root = genuine.read(name), aws_root(genuine)
    generator = random.Random(f"every byte of {name}")
    for place in range(len(raw)):
        for change in {1 << generator.randrange(8), generator.randrange(1, 256)}:
            bent = raw[:place] + bytes([raw[place] ^ change]) + raw[place + 1 :]
            assert _refused(bent, root, GENUINE[name]), f"byte {place} ^ {change:#x}"


@pytest.mark.parametrize("name", GENUINE)
def test_truncated_and_extended_documents_are_refused(genuine: Genuine, name: str) -> None:
    raw, root = genuine.read(name), aws_root(genuine)
    for size in (0, 1, 4, 8, 100, len(raw) // 2, len(raw) - 97, len(raw) - 96, len(raw) - 1):
        assert _refused(raw[:size], root, GENUINE[name])
    assert _refused(raw + b"\x00", root, GENUINE[name])


def test_every_document_that_parses_reencodes_to_itself(genuine: Genuine) -> None:
    for name in (*GENUINE, GENUINE_DEBUG[0]):
        assert parse_document(genuine.read(name)).raw == genuine.read(name)
