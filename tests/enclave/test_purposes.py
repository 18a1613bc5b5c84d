"""The table of purposes: every pair that is not in it is denied, by the function and by the
service.
"""

from __future__ import annotations

import pytest

from tests.enclave.support import CHAIN_ID, NOW, OWNER, REGISTRY
from xmtp_tee.enclave.operations.table import HANDLERS
from xmtp_tee.enclave.purposes import (
    DERIVABLE,
    RULES,
    KeyOperation,
    KeyType,
    Purpose,
    require_allowed,
)
from xmtp_tee.enclave.service import Enclave
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.faults import OperationNotAllowedError

# Written out, so that a change of the table has to be made twice.
INSTALLATION = {
    *("sign", "sign-identity-text", "sign-pre-key", "certify-as-identity", "delete", "limit"),
    "mls",
}
ALLOWED = {
    "xmtp-identity": INSTALLATION | {"derive", "export"},
    "xmtp-installation": INSTALLATION,
    "pre-key": {"certify-as-pre-key", "hpke-open", "delete", "limit"},
    "wallet": {
        "sign-identity-text",
        "sign-owner-intent",
        "sign-typed-data",
        "delete",
        "limit",
        "export",
    },
    "key-agreement": {"agree", "rotate", "delete", "limit", "export"},
    "hpke": {"hpke-open", "rotate", "delete", "limit", "export"},
    "aead": {"seal", "open", "rotate", "delete", "limit", "export"},
    "mac": {"mac", "rotate", "delete", "limit", "export"},
    "derivation": {"derive", "delete", "limit", "export"},
    "authority": {"sign-certificate", "sign-statement", "attest"},
    "transport": {"attest", "open-channel"},
}


@pytest.mark.parametrize("operation", list(KeyOperation))
@pytest.mark.parametrize("purpose", list(Purpose))
def test_every_pair_of_purpose_and_operation(purpose: Purpose, operation: KeyOperation) -> None:
    if operation.value in ALLOWED[purpose.value]:
        require_allowed(purpose, operation, "id")
        return
    with pytest.raises(OperationNotAllowedError) as caught:
        require_allowed(purpose, operation, "id")
    assert purpose.value in str(caught.value.got)
    assert operation.value in caught.value.message


def test_purpose_that_the_table_lacks_is_denied() -> None:
    with pytest.raises(OperationNotAllowedError):
        require_allowed("oracle", KeyOperation.SIGN, "id")  # type: ignore[arg-type]


def test_every_purpose_has_its_types() -> None:
    assert {purpose: set(rule.key_types) for purpose, rule in RULES.items()} == {
        Purpose.IDENTITY: {KeyType.ED25519},
        Purpose.INSTALLATION: {KeyType.ED25519},
        Purpose.PRE_KEY: {KeyType.X25519},
        Purpose.WALLET: {KeyType.SECP256K1},
        Purpose.KEY_AGREEMENT: {KeyType.X25519},
        Purpose.HPKE: {KeyType.X25519, KeyType.XWING},
        Purpose.AEAD: {KeyType.AES_256_GCM, KeyType.CHACHA20_POLY1305},
        Purpose.MAC: {KeyType.HMAC_SHA256},
        Purpose.DERIVATION: {KeyType.HKDF_SHA256},
        Purpose.AUTHORITY: {KeyType.SECP256K1},
        Purpose.TRANSPORT: {KeyType.X25519},
    }


def test_only_what_may_derive_is_in_the_table_of_derivations() -> None:
    assert {p for p, rule in RULES.items() if KeyOperation.DERIVE in rule.operations} == set(
        DERIVABLE
    )


def test_enclaves_own_keys_can_neither_be_made_nor_deleted_by_anyone() -> None:
    for purpose in (Purpose.AUTHORITY, Purpose.TRANSPORT):
        assert not RULES[purpose].makeable
        assert KeyOperation.DELETE not in RULES[purpose].operations
        assert all(purpose not in children for children in DERIVABLE.values())


@pytest.fixture
def ids(enclave: Enclave) -> dict[str, str]:
    """A key of every purpose."""
    identity = enclave.handle(wire.GenerateIdentityKey(owner=OWNER), NOW)
    assert isinstance(identity, wire.Key)
    pre_key = enclave.handle(wire.GeneratePreKey(identity_key_id=identity.id), NOW)
    assert isinstance(pre_key, wire.PreKey)
    derive = wire.DeriveInstallationKey(identity_key_id=identity.id, device_id="phone")
    installation = enclave.handle(derive, NOW)
    assert isinstance(installation, wire.Key)
    about = enclave.describe()
    found = {
        "xmtp-identity": identity.id,
        "xmtp-installation": installation.id,
        "pre-key": pre_key.id,
        "authority": about.authority_key_id,
        "transport": about.transport_key_id,
    }
    for purpose in ("wallet", "key-agreement", "hpke", "aead", "mac", "derivation"):
        owner = None if purpose == "wallet" else OWNER
        made = enclave.handle(wire.GenerateKey(purpose=purpose, owner=owner), NOW)
        assert isinstance(made, wire.Key)
        found[purpose] = made.id
    return found


def attempts(key_id: str, ids: dict[str, str]) -> dict[str, wire.Operation]:
    """The requests by which a client could reach a key, by the operation that each needs."""
    place = {"chain_id": CHAIN_ID, "key_registry": REGISTRY}
    nonce = bytes(12)
    return {
        "sign": wire.Sign(key_id=key_id, message=bytes(32)),
        "sign-pre-key": wire.GeneratePreKey(identity_key_id=key_id),
        "certify-as-identity": wire.CertifyKeyBundle(
            identity_key_id=key_id, pre_key_id=ids["pre-key"], **place
        ),
        "certify-as-pre-key": wire.CertifyKeyBundle(
            identity_key_id=ids["xmtp-identity"], pre_key_id=key_id, **place
        ),
        "sign-identity-text": wire.SignIdentityText(key_id=key_id, text="text"),
        "sign-typed-data": wire.SignTypedData(key_id=key_id, document=b"{}"),
        "sign-owner-intent": wire.SignOwnerIntent(
            key_id=key_id,
            action="register",
            identity_key_id=ids["xmtp-identity"],
            pre_key_id=ids["pre-key"],
            nonce=0,
            deadline=NOW,
            **place,
        ),
        "derive": wire.DeriveKey(parent_key_id=key_id, purpose="mac", path="p"),
        "agree": wire.SharedSecret(key_id=key_id, peer=bytes([9]) + bytes(31), label="l"),
        "hpke-open": wire.HpkeOpen(key_id=key_id, encapsulated=bytes(32), ciphertext=bytes(16)),
        "seal": wire.AeadSeal(key_id=key_id, plaintext=b""),
        "open": wire.AeadOpen(key_id=key_id, nonce=nonce, ciphertext=bytes(16)),
        "mac": wire.ComputeMac(key_id=key_id, message=b""),
        "rotate": wire.RotateKey(key_id=key_id),
        "limit": wire.UpdateKey(key_id=key_id, label="label"),
        "delete": wire.DeleteKey(key_id=key_id),
    }


ATTEMPTS = sorted(attempts("k", {"pre-key": "p", "xmtp-identity": "i"}))


def test_every_operation_on_a_key_is_attempted() -> None:
    internal = {"attest", "sign-certificate", "sign-statement", "open-channel"}
    internal |= {"export", "mls"}  # of backups and of groups, tested there
    assert set(ATTEMPTS) == {operation.value for operation in KeyOperation} - internal


@pytest.mark.parametrize("purpose", [purpose.value for purpose in Purpose])
def test_service_denies_what_the_table_denies(
    enclave: Enclave, ids: dict[str, str], purpose: str
) -> None:
    for operation, attempt in attempts(ids[purpose], ids).items():
        if operation in ALLOWED[purpose]:
            continue
        with pytest.raises(OperationNotAllowedError) as caught:
            enclave.handle(attempt, NOW)
        assert operation in caught.value.message


def test_every_operation_of_the_wire_has_its_function() -> None:
    assert set(HANDLERS) | {wire.Batch} == set(wire.Operation.__args__)


def test_no_operation_takes_a_digest_or_a_private_key() -> None:
    for operation in wire.Operation.__args__:
        names = set(operation.__struct_fields__)
        assert not names & {"digest", "hash", "private_key", "seed", "scalar"}
