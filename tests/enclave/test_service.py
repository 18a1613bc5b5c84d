"""The enclave's operations: results checked by independent implementations, refusals typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from tests.enclave import reference
from tests.enclave.support import (
    CHAIN_ID,
    NOW,
    OWNER,
    REGISTRY,
    STRANGER,
    FixedDriver,
    open_enclave,
    open_store,
    seeded_entropy,
)
from xmtp_tee.attestation.address import address_of_public_key, checksum_address
from xmtp_tee.attestation.binding import EnclaveBinding
from xmtp_tee.attestation.errors import FieldError
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.pre_key import PRE_KEY_CONTEXT
from xmtp_tee.enclave.operations.identity import PRE_KEY_LIFETIME
from xmtp_tee.enclave.operations.signing import SIGN_CONTEXT
from xmtp_tee.enclave.service import Enclave
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.faults import (
    ExpiryInvalidError,
    IdentityKeyExistsError,
    IdentityKeyNotFoundError,
    KeyNotFoundError,
    OwnerInvalidError,
    PreKeyExpiredError,
    PreKeyMismatchError,
    RegistryInvalidError,
    SignedMessageTooLargeError,
)
from xmtp_tee.wire.limits import MAX_EXPIRY, MAX_SIGNED_MESSAGE

SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def identity(enclave: Enclave, owner: bytes = OWNER) -> wire.Key:
    made = enclave.handle(wire.GenerateIdentityKey(owner=owner), NOW)
    assert isinstance(made, wire.Key)
    return made


def pre_key(enclave: Enclave, key_id: str, expires_at: int | None = None) -> wire.PreKey:
    operation = wire.GeneratePreKey(identity_key_id=key_id, expires_at=expires_at)
    made = enclave.handle(operation, NOW)
    assert isinstance(made, wire.PreKey)
    return made


def certify(
    enclave: Enclave, identity_id: str, pre_key_id: str, now: int = NOW, registry: bytes = REGISTRY
) -> wire.Certificate:
    made = enclave.handle(
        wire.CertifyKeyBundle(
            identity_key_id=identity_id,
            pre_key_id=pre_key_id,
            chain_id=CHAIN_ID,
            key_registry=registry,
        ),
        now,
    )
    assert isinstance(made, wire.Certificate)
    return made


def test_identity_key_has_its_public_record(enclave: Enclave) -> None:
    key = identity(enclave)
    assert (key.key_type, key.purpose, key.owner) == ("ed25519", "xmtp-identity", OWNER)
    assert (key.version, key.epoch, key.provenance) == (1, 0, "generated")
    assert (key.created_at, key.destroyed_at) == (NOW, None)
    assert key.operations == (
        *("certify-as-identity", "delete", "derive", "export", "limit", "mls"),
        *("sign", "sign-identity-text", "sign-pre-key"),
    )
    assert (key.state, key.label, key.minimum_version, key.limits) == ("active", "", 1, None)
    assert len(key.public_key) == 32
    assert enclave.handle(wire.GetKey(key_id=key.id), NOW) == key
    assert enclave.handle(wire.GetIdentityKey(owner=OWNER), NOW) == key


def test_second_identity_key_of_an_owner_is_refused(enclave: Enclave) -> None:
    first = identity(enclave)
    with pytest.raises(IdentityKeyExistsError) as caught:
        identity(enclave)
    assert first.id in str(caught.value.got)
    assert identity(enclave, STRANGER).id != first.id


def test_zero_address_owns_no_keys(enclave: Enclave) -> None:
    with pytest.raises(OwnerInvalidError):
        identity(enclave, bytes(20))


def test_owner_without_identity_key_is_told_from_an_unknown_key(enclave: Enclave) -> None:
    with pytest.raises(IdentityKeyNotFoundError):
        enclave.handle(wire.GetIdentityKey(owner=STRANGER), NOW)
    with pytest.raises(KeyNotFoundError):
        enclave.handle(wire.GetKey(key_id="00" * 16), NOW)


@pytest.mark.parametrize(
    "key_id", ["?", "00" * 15, "00" * 16, "00" * 17, "zz" * 16, "'; DROP TABLE keys; --", "\x00"]
)
def test_unknown_key_id_is_refused_by_every_operation(enclave: Enclave, key_id: str) -> None:
    known = identity(enclave)
    place = {"chain_id": CHAIN_ID, "key_registry": REGISTRY}
    for operation in (
        wire.GetKey(key_id=key_id),
        wire.Sign(key_id=key_id, message=b""),
        wire.GeneratePreKey(identity_key_id=key_id),
        wire.GetPreKeys(identity_key_id=key_id),
        wire.CertifyKeyBundle(identity_key_id=key_id, pre_key_id=key_id, **place),
        wire.CertifyKeyBundle(identity_key_id=known.id, pre_key_id=key_id, **place),
    ):
        with pytest.raises(KeyNotFoundError):
            enclave.handle(operation, NOW)


def test_key_id_has_one_spelling(enclave: Enclave) -> None:
    key = identity(enclave)
    for spelling in (key.id.upper(), " " + key.id, key.id[:2] + " " + key.id[2:]):
        if spelling != key.id:
            with pytest.raises(KeyNotFoundError):
                enclave.handle(wire.GetKey(key_id=spelling), NOW)


@pytest.mark.parametrize("message", [b"", b"message", bytes(MAX_SIGNED_MESSAGE)])
def test_signature_is_ed25519ph_under_xmtps_context(enclave: Enclave, message: bytes) -> None:
    key = identity(enclave)
    signed = enclave.handle(wire.Sign(key_id=key.id, message=message), NOW)
    assert isinstance(signed, wire.Signature)
    assert SIGN_CONTEXT == b"PUBLIC SIGNATURE CONTEXT"
    assert reference.verifies(key.public_key, message, signed.signature, SIGN_CONTEXT)
    assert not reference.verifies(key.public_key, message + b"x", signed.signature, SIGN_CONTEXT)
    assert not reference.verifies(key.public_key, message, signed.signature, PRE_KEY_CONTEXT)


def test_message_above_the_limit_is_refused(enclave: Enclave) -> None:
    key = identity(enclave)
    with pytest.raises(SignedMessageTooLargeError, match="65537"):
        enclave.handle(wire.Sign(key_id=key.id, message=bytes(MAX_SIGNED_MESSAGE + 1)), NOW)


def test_pre_keys_are_signed_and_their_epochs_grow_by_one(enclave: Enclave) -> None:
    key = identity(enclave)
    other = identity(enclave, STRANGER)
    for epoch in (1, 2, 3):
        made = pre_key(enclave, key.id)
        assert made.epoch == epoch
        assert made.expires_at == NOW + PRE_KEY_LIFETIME
        message = (
            OWNER
            + key.public_key
            + made.public_key
            + epoch.to_bytes(8, "big")
            + made.expires_at.to_bytes(8, "big")
        )
        context = b"xmtp-tee/pre-key/v1"
        assert reference.verifies(key.public_key, message, made.signature, context)
        assert not reference.verifies(key.public_key, message, made.signature, SIGN_CONTEXT)
    assert pre_key(enclave, other.id).epoch == 1


def test_application_cannot_have_a_pre_key_message_signed_as_one(enclave: Enclave) -> None:
    """Attack: sign() over the bytes of a pre-key of the attacker's own."""
    key = identity(enclave)
    forged = (
        OWNER + key.public_key + bytes(32) + (9).to_bytes(8, "big") + (2**40 - 1).to_bytes(8, "big")
    )
    signed = enclave.handle(wire.Sign(key_id=key.id, message=forged), NOW)
    assert isinstance(signed, wire.Signature)
    assert not reference.verifies(key.public_key, forged, signed.signature, PRE_KEY_CONTEXT)


@pytest.mark.parametrize("expiry", [0, NOW - 1, NOW, MAX_EXPIRY + 1, 2**63 - 1])
def test_impossible_expiry_is_refused_and_uses_no_epoch(enclave: Enclave, expiry: int) -> None:
    key = identity(enclave)
    with pytest.raises(ExpiryInvalidError, match=str(expiry)):
        pre_key(enclave, key.id, expiry)
    assert pre_key(enclave, key.id).epoch == 1


@pytest.mark.parametrize("expiry", [NOW + 1, MAX_EXPIRY])
def test_extreme_expiry_is_accepted(enclave: Enclave, expiry: int) -> None:
    assert pre_key(enclave, identity(enclave).id, expiry).expires_at == expiry


def test_certificate_is_what_an_independent_eip_712_signs(enclave: Enclave) -> None:
    key = identity(enclave)
    made = pre_key(enclave, key.id)
    certificate = certify(enclave, key.id, made.id)
    typed = {
        "domain": {
            "name": "XMTP TEE KeyRegistry",
            "version": "1",
            "chainId": CHAIN_ID,
            "verifyingContract": checksum_address(REGISTRY),
        },
        "primaryType": "KeyBundle",
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
        "message": {
            "owner": checksum_address(OWNER),
            "identityKey": key.public_key,
            "preKey": made.public_key,
            "preKeySignature": made.signature,
            "epoch": made.epoch,
            "expiresAt": made.expires_at,
            "provenance": 1,
        },
    }
    signer = Account.recover_message(
        encode_typed_data(full_message=typed), signature=certificate.signature
    )
    assert signer == checksum_address(enclave.describe().authority)
    assert certificate.authority == enclave.describe().authority
    assert int.from_bytes(certificate.signature[32:64], "big") <= SECP256K1_ORDER // 2
    assert certificate.signature[64] in (27, 28)


def test_certificate_of_a_foreign_pre_key_is_refused(enclave: Enclave) -> None:
    """Attack: another owner's pre-key under one's own identity key."""
    own, other = identity(enclave), identity(enclave, STRANGER)
    foreign = pre_key(enclave, other.id)
    with pytest.raises(PreKeyMismatchError):
        certify(enclave, own.id, foreign.id)


def test_certificate_of_an_expired_pre_key_is_refused(enclave: Enclave) -> None:
    key = identity(enclave)
    made = pre_key(enclave, key.id, NOW + 10)
    certify(enclave, key.id, made.id, NOW + 9)
    with pytest.raises(PreKeyExpiredError):
        certify(enclave, key.id, made.id, NOW + 10)


def test_zero_address_is_no_registry(enclave: Enclave) -> None:
    key = identity(enclave)
    made = pre_key(enclave, key.id)
    with pytest.raises(RegistryInvalidError):
        certify(enclave, key.id, made.id, registry=bytes(20))
    with pytest.raises(RegistryInvalidError):
        enclave.handle(
            wire.GetAttestation(
                chain_id=1, enclave_registry=bytes(20), block_number=1, block_hash=bytes(32)
            ),
            NOW,
        )


def test_quote_binds_authority_transport_chain_registry_and_block(
    enclave: Enclave, driver: FixedDriver
) -> None:
    operation = wire.GetAttestation(
        chain_id=CHAIN_ID, enclave_registry=REGISTRY, block_number=77, block_hash=b"\xab" * 32
    )
    quote = enclave.handle(operation, NOW)
    assert isinstance(quote, wire.Quote)
    about = enclave.describe()
    expected = EnclaveBinding(
        CHAIN_ID, REGISTRY, about.authority, about.transport_key, 77, b"\xab" * 32
    ).report_data()
    assert driver.quoted == [expected]
    assert quote.quote == b"quote over " + expected
    assert (quote.authority, quote.transport_key) == (about.authority, about.transport_key)
    assert (quote.tee, quote.block_number) == ("tdx", 77)


def test_every_kind_of_tee_quotes_the_same_binding(folder: Path) -> None:
    drivers = [FixedDriver(tee=kind) for kind in (TeeKind.SEV_SNP, TeeKind.NITRO, TeeKind.TDX)]
    store = open_store(folder / "several.sqlite", drivers[0])
    several = Enclave(store, drivers[0], further=tuple(drivers[1:]))
    try:
        assert several.describe().tee == "sev-snp"
        assert several.describe().further_tees == ("nitro", "tdx")
        asked = {"chain_id": CHAIN_ID, "enclave_registry": REGISTRY, "block_number": 77}
        for tee in ("", "nitro", "tdx", "sev-snp"):
            operation = wire.GetAttestation(**asked, block_hash=b"\xab" * 32, tee=tee)
            quote = several.handle(operation, NOW)
            assert isinstance(quote, wire.Quote)
            assert quote.tee == (tee or "sev-snp")
        quoted = [data for driver in drivers for data in driver.quoted]
        assert [len(driver.quoted) for driver in drivers] == [2, 1, 1]
        assert len(set(quoted)) == 1
    finally:
        several.close()


@pytest.mark.parametrize("tee", ["nitro", "TDX", "none"])
def test_quote_of_a_kind_that_the_enclave_has_not_is_refused(enclave: Enclave, tee: str) -> None:
    operation = wire.GetAttestation(
        chain_id=CHAIN_ID,
        enclave_registry=REGISTRY,
        block_number=77,
        block_hash=b"\xab" * 32,
        tee=tee,
    )
    with pytest.raises(FieldError, match="no evidence of that kind"):
        enclave.handle(operation, NOW)


def test_authority_and_transport_are_listed_keys(enclave: Enclave) -> None:
    about = enclave.describe()
    authority = enclave.handle(wire.GetKey(key_id=about.authority_key_id), NOW)
    transport = enclave.handle(wire.GetKey(key_id=about.transport_key_id), NOW)
    assert isinstance(authority, wire.Key)
    assert isinstance(transport, wire.Key)
    assert (authority.key_type, authority.purpose) == ("secp256k1", "authority")
    assert (transport.key_type, transport.purpose) == ("x25519", "transport")
    assert address_of_public_key(authority.public_key) == about.authority
    assert transport.public_key == about.transport_key


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_join_to_the_whole_list(enclave: Enclave, limit: int) -> None:
    key = identity(enclave)
    made = [pre_key(enclave, key.id) for _ in range(4)]
    after: int | None = 0
    listed: list[str] = []
    while after is not None:
        page = enclave.handle(wire.ListKeys(after=after, limit=limit), NOW)
        assert isinstance(page, wire.KeyPage)
        assert len(page.keys) <= limit
        listed += [each.id for each in page.keys]
        after = page.next
    assert listed[2:] == [key.id, *(each.id for each in made)]
    after, listed = 0, []
    while after is not None:
        answer = enclave.handle(
            wire.GetPreKeys(identity_key_id=key.id, after=after, limit=limit), NOW
        )
        assert isinstance(answer, wire.PreKeyPage)
        listed += [each.id for each in answer.pre_keys]
        after = answer.next
    assert listed == [each.id for each in made]


def test_listing_of_an_owner_shows_no_other_owners_keys(enclave: Enclave) -> None:
    own, _ = identity(enclave), identity(enclave, STRANGER)
    page = enclave.handle(wire.ListKeys(owner=OWNER), NOW)
    assert page == wire.KeyPage(keys=(own,))


def test_keys_come_from_the_given_entropy_and_differ(folder: Path) -> None:
    keys = []
    for name, seed in (("one", b"s"), ("two", b"s"), ("three", b"t")):
        enclave = open_enclave(folder / name, entropy=seeded_entropy(seed))
        made = identity(enclave)
        keys.append((enclave.describe().authority, made.public_key, made.id))
        enclave.close()
    assert keys[0][:2] == keys[1][:2] != keys[2][:2]
    assert len({key[2] for key in keys}) == 3
