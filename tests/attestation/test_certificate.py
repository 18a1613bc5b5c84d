"""The key bundle certificate: its EIP-712 digest, and who signed it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import coincurve
import pytest
from eth_account import Account
from eth_account.messages import _hash_eip191_message, encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from tests.attestation.support import flipped
from xmtp_tee.attestation import (
    KeyBundleCertificate,
    Provenance,
    address_of_public_key,
    checksum_address,
    ethereum_signature,
    recover_authority,
)
from xmtp_tee.attestation.errors import (
    CertificateInvalidError,
    CertificateSignerMismatchError,
    FieldError,
    SignatureMalformedError,
)

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
AUTHORITY_KEY = coincurve.PrivateKey(bytes.fromhex("55" * 32))
AUTHORITY = address_of_public_key(AUTHORITY_KEY.public_key.format(compressed=False))
UNSIGNED = KeyBundleCertificate(
    chain_id=31_337,
    key_registry=bytes.fromhex("11" * 20),
    owner=bytes.fromhex("22" * 20),
    identity_key=bytes.fromhex("33" * 32),
    pre_key=bytes.fromhex("44" * 32),
    pre_key_signature=bytes.fromhex("66" * 64),
    epoch=1,
    expires_at=1_900_000_000,
    provenance=Provenance.GENERATED,
)


def sign(certificate: KeyBundleCertificate) -> KeyBundleCertificate:
    recoverable = AUTHORITY_KEY.sign_recoverable(certificate.digest(), hasher=None)
    return certificate.signed(ethereum_signature(recoverable))


SIGNED = sign(UNSIGNED)


def typed_data(certificate: KeyBundleCertificate) -> dict[str, Any]:
    return {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "KeyBundle": [
                {"name": "owner", "type": "address"},
                {"name": "identityKey", "type": "bytes32"},
                {"name": "preKey", "type": "bytes32"},
                {"name": "preKeySignature", "type": "bytes"},
                {"name": "epoch", "type": "uint64"},
                {"name": "expiresAt", "type": "uint64"},
                {"name": "provenance", "type": "uint8"},
            ],
        },
        "primaryType": "KeyBundle",
        "domain": {
            "name": "XMTP TEE KeyRegistry",
            "version": "1",
            "chainId": certificate.chain_id,
            "verifyingContract": checksum_address(certificate.key_registry),
        },
        "message": {
            "owner": checksum_address(certificate.owner),
            "identityKey": certificate.identity_key,
            "preKey": certificate.pre_key,
            "preKeySignature": certificate.pre_key_signature,
            "epoch": certificate.epoch,
            "expiresAt": certificate.expires_at,
            "provenance": int(certificate.provenance),
        },
    }


certificates = st.builds(
    KeyBundleCertificate,
    chain_id=st.integers(0, (1 << 256) - 1),
    key_registry=st.binary(min_size=20, max_size=20),
    owner=st.binary(min_size=20, max_size=20),
    identity_key=st.binary(min_size=32, max_size=32),
    pre_key=st.binary(min_size=32, max_size=32),
    pre_key_signature=st.binary(min_size=64, max_size=64),
    epoch=st.integers(1, (1 << 64) - 1),
    expires_at=st.integers(0, (1 << 64) - 1),
    provenance=st.sampled_from([Provenance.GENERATED, Provenance.DERIVED, Provenance.IMPORTED]),
)


@given(certificates)
def test_digest_agrees_with_an_independent_implementation(
    certificate: KeyBundleCertificate,
) -> None:
    message = encode_typed_data(full_message=typed_data(certificate))
    assert certificate.digest() == bytes(_hash_eip191_message(message))


def test_recover_authority_agrees_with_an_independent_implementation() -> None:
    message = encode_typed_data(full_message=typed_data(SIGNED))
    recovered = Account.recover_message(message, signature=SIGNED.signature)
    assert recovered == checksum_address(AUTHORITY)
    assert SIGNED.recover_authority() == AUTHORITY


def test_require_signed_by_passes_for_the_authority() -> None:
    SIGNED.require_signed_by(AUTHORITY)


def test_require_signed_by_refuses_another_authority() -> None:
    with pytest.raises(CertificateSignerMismatchError) as refusal:
        SIGNED.require_signed_by(bytes(20))
    assert refusal.value.got == checksum_address(AUTHORITY)


@pytest.mark.parametrize(
    "changes",
    [
        {"chain_id": 1},
        {"key_registry": bytes(20)},
        {"owner": bytes(20)},
        {"identity_key": bytes(32)},
        {"pre_key": bytes(32)},
        {"pre_key_signature": bytes(64)},
        {"epoch": 2},
        {"expires_at": 1},
        {"provenance": Provenance.IMPORTED},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_require_signed_by_refuses_a_certificate_with_any_field_changed(
    changes: dict[str, Any],
) -> None:
    with pytest.raises(CertificateInvalidError):
        replace(SIGNED, **changes).require_signed_by(AUTHORITY)


@given(st.integers(0, 65 * 8 - 1))
def test_require_signed_by_refuses_a_signature_with_any_bit_flipped(bit: int) -> None:
    with pytest.raises(CertificateInvalidError):
        replace(SIGNED, signature=flipped(SIGNED.signature, bit)).require_signed_by(AUTHORITY)


def test_recover_authority_refuses_the_high_s_twin() -> None:
    r, s, v = SIGNED.signature[:32], SIGNED.signature[32:64], SIGNED.signature[64]
    twin = r + (ORDER - int.from_bytes(s, "big")).to_bytes(32, "big") + bytes([55 - v])
    with pytest.raises(SignatureMalformedError, match="upper half"):
        recover_authority(SIGNED.digest(), twin)


@pytest.mark.parametrize("v", [0, 1, 2, 26, 29, 35, 255])
def test_recover_authority_refuses_other_values_of_v(v: int) -> None:
    with pytest.raises(SignatureMalformedError, match="v is not valid"):
        recover_authority(SIGNED.digest(), SIGNED.signature[:64] + bytes([v]))


@pytest.mark.parametrize(
    ("r", "s"), [(0, 1), (1, 0), (0, 0), (ORDER, 1), ((1 << 256) - 1, 1), (5, 1)]
)
def test_recover_authority_refuses_r_and_s_that_no_key_makes(r: int, s: int) -> None:
    # 5 is not the x of a point.
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + b"\x1b"
    with pytest.raises(SignatureMalformedError):
        recover_authority(SIGNED.digest(), signature)


@pytest.mark.parametrize("size", [0, 64, 66])
def test_recover_authority_refuses_other_lengths(size: int) -> None:
    with pytest.raises(SignatureMalformedError):
        recover_authority(SIGNED.digest(), bytes(size))


def test_recover_authority_refuses_an_unsigned_certificate() -> None:
    with pytest.raises(CertificateInvalidError, match="not signed"):
        UNSIGNED.recover_authority()


@pytest.mark.parametrize("recovery_id", [2, 3, 27])
def test_ethereum_signature_refuses_other_recovery_ids(recovery_id: int) -> None:
    with pytest.raises(SignatureMalformedError):
        ethereum_signature(bytes(64) + bytes([recovery_id]))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epoch", 0),
        ("epoch", 1 << 64),
        ("expires_at", -1),
        ("provenance", Provenance.NONE),
        ("provenance", 4),
        ("owner", bytes(19)),
        ("identity_key", bytes(33)),
        ("pre_key", bytes(0)),
        ("pre_key_signature", bytes(63)),
        ("signature", bytes(64)),
        ("key_registry", bytes(32)),
    ],
)
def test_certificate_refuses_fields_of_wrong_shape(name: str, value: object) -> None:
    with pytest.raises(FieldError):
        replace(UNSIGNED, **{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("certificate", [SIGNED, UNSIGNED], ids=["signed", "unsigned"])
def test_from_dict_reads_what_as_dict_wrote(certificate: KeyBundleCertificate) -> None:
    assert KeyBundleCertificate.from_dict(certificate.as_dict()) == certificate


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("chainId", "31337"),
        ("chainId", True),
        ("owner", "0x00"),
        ("identityKey", "33" * 32),
        ("preKey", "0x" + "4g" * 32),
        ("preKey", "0x" + "44 " * 32),
        ("epoch", 0),
        ("epoch", 1.5),
        ("provenance", "none"),
        ("provenance", 1),
        ("signature", "0x00"),
        ("signature", None),
    ],
)
def test_from_dict_refuses_malformed_fields(name: str, value: object) -> None:
    with pytest.raises(CertificateInvalidError):
        KeyBundleCertificate.from_dict({**SIGNED.as_dict(), name: value})


def test_from_dict_refuses_missing_and_unknown_fields() -> None:
    document = SIGNED.as_dict()
    with pytest.raises(CertificateInvalidError):
        KeyBundleCertificate.from_dict({**document, "trusted": 1})
    del document["epoch"]
    with pytest.raises(CertificateInvalidError):
        KeyBundleCertificate.from_dict(document)
    with pytest.raises(CertificateInvalidError):
        KeyBundleCertificate.from_dict([])
