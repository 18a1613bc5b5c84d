"""Backups through the enclave: what leaves, for whom, and what comes back as what."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pyrage
import pytest
from eth_account import Account

from tests.backup.support import FACTS, cheap, sealed
from tests.enclave.loopback import LoopbackKeys, allow_backups
from tests.enclave.support import NOW, OWNER, STRANGER, FixedDriver, open_enclave
from xmtp_tee import hpke
from xmtp_tee.backup.container import MAX_CONTAINER, MAX_WAYS, encode_header, parse
from xmtp_tee.client.errors import EnclaveNotVerifiedError
from xmtp_tee.client.models import KeyInfo
from xmtp_tee.enclave.operations.call import Call
from xmtp_tee.enclave.operations.lifecycle import MAX_VERSIONS
from xmtp_tee.enclave.operations.wallet import _installations_of
from xmtp_tee.enclave.service import Enclave
from xmtp_tee.errors import XmtpTeeError
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.backup_faults import (
    BackupDoesNotOpenError,
    BackupError,
    BackupMalformedError,
    BackupPasswordError,
    BackupRecipientError,
    BackupWayMissingError,
    KeyNotExportableError,
)
from xmtp_tee.wire.codec import encode_request, request
from xmtp_tee.wire.faults import IdentityKeyExistsError, OperationNotAllowedError
from xmtp_tee.wire.limits import MAX_BACKUP, MAX_REQUEST_BODY
from xmtp_tee.wire.refusals import (
    CallerNotAllowedError,
    KeyExpiredError,
    KeyLimitError,
    LimitsInvalidError,
)

PASSWORD = "correct horse battery staple"
_, PUBLIC = hpke.derive_key_pair(hpke.X25519_CHACHA20_POLY1305, bytes(32))


@pytest.fixture(autouse=True)
def _cheap(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2id genuinely where a key comes back by password, and cheaply elsewhere."""
    if not request.node.name.startswith("test_key_comes_back_by_password"):
        monkeypatch.setattr("xmtp_tee.backup.ways.derive", cheap)


@pytest.fixture
def open_one(folder: Path) -> Iterator[Callable[[str], Enclave]]:
    opened: list[Enclave] = []

    def make(name: str) -> Enclave:
        enclave = open_enclave(folder / name, FixedDriver(root=name.encode().ljust(32)))
        opened.append(enclave)
        allow_backups(enclave)
        return enclave

    yield make
    for enclave in opened:
        enclave.close()


@pytest.fixture
def home(open_one: Callable[[str], Enclave]) -> LoopbackKeys:
    return LoopbackKeys(open_one("home"))


@pytest.fixture
def other(open_one: Callable[[str], Enclave]) -> LoopbackKeys:
    """An enclave on another machine."""
    return LoopbackKeys(open_one("other"))


def identity(keys: LoopbackKeys, owner: bytes = OWNER) -> KeyInfo:
    made = keys._call(wire.GenerateIdentityKey(owner=owner, exportable=True), wire.Key)
    return KeyInfo.from_wire(made)


def wallet(keys: LoopbackKeys) -> KeyInfo:
    made = keys._call(wire.GenerateKey(purpose="wallet", exportable=True), wire.Key)
    return KeyInfo.from_wire(made)


def test_key_comes_back_by_password_and_signs_the_same(
    home: LoopbackKeys, other: LoopbackKeys
) -> None:
    key = identity(home)
    backup = home.export_encrypted(key.id, password=PASSWORD)
    restored = other.import_from_backup(backup.data, password=PASSWORD)
    assert restored.public_key == key.public_key
    assert (restored.type, restored.purpose, restored.owner) == (key.type, key.purpose, key.owner)
    assert other.sign(restored.id, b"message") == home.sign(key.id, b"message")


def test_imported_key_says_so_for_ever(
    home: LoopbackKeys, other: LoopbackKeys, open_one: Callable[[str], Enclave]
) -> None:
    key = identity(home)
    assert key.provenance == "generated"
    backup = home.export_encrypted(key.id, password=PASSWORD)
    second = other.import_from_backup(backup.data, password=PASSWORD, exportable=True)
    assert second.provenance == "imported"
    again = other.export_encrypted(second.id, password=PASSWORD)
    third = LoopbackKeys(open_one("third")).import_from_backup(again.data, password=PASSWORD)
    assert third.provenance == "imported"
    pre_key = other.generate_pre_key(second.id)
    certificate = other.certify_key_bundle(
        second.id, pre_key.id, chain_id=1, key_registry=b"\x01" * 20
    )
    assert certificate.provenance.label == "imported"


def test_epochs_of_pre_keys_go_on_after_a_restore(home: LoopbackKeys, other: LoopbackKeys) -> None:
    """The chain refuses an epoch that was used before."""
    key = identity(home)
    for _ in range(3):
        home.generate_pre_key(key.id)
    backup = home.export_encrypted(key.id, password=PASSWORD)
    restored = other.import_from_backup(backup.data, password=PASSWORD)
    assert other.generate_pre_key(restored.id).epoch == 4
    assert other.generate_pre_key(restored.id).epoch == 5


def test_installation_key_is_the_same_after_a_restore(
    home: LoopbackKeys, other: LoopbackKeys
) -> None:
    key = identity(home)
    derive = wire.DeriveInstallationKey(identity_key_id=key.id, device_id="phone")
    before = home._call(derive, wire.Key)
    backup = home.export_encrypted(key.id, password=PASSWORD)
    restored = other.import_from_backup(backup.data, password=PASSWORD)
    again = wire.DeriveInstallationKey(identity_key_id=restored.id, device_id="phone")
    assert other._call(again, wire.Key).public_key == before.public_key


def test_restored_identity_has_its_installations_in_the_same_store(home: LoopbackKeys) -> None:
    key = identity(home)
    derive = wire.DeriveInstallationKey(identity_key_id=key.id, device_id="phone")
    before = home._call(derive, wire.Key)
    backup = home.export_encrypted(key.id, password=PASSWORD)
    destroy(home, key.id)
    restored = home.import_from_backup(backup.data, password=PASSWORD)
    again = home._call(msgspec.structs.replace(derive, identity_key_id=restored.id), wire.Key)
    assert again == msgspec.structs.replace(before, provenance="imported")
    assert home._call(wire.GetKey(key_id=before.id), wire.Key) == again
    store = home._enclave._parts.store
    call = Call(home._enclave._parts, None, None, NOW, b"")  # type: ignore[arg-type]
    assert _installations_of(call, OWNER) == {key.public_key, before.public_key}
    store.verify()


def test_installation_of_another_identity_is_not_given_out(home: LoopbackKeys) -> None:
    """An owner who begins anew with another identity key has no installations of the old one."""
    old = identity(home)
    derive = wire.DeriveInstallationKey(identity_key_id=old.id, device_id="phone")
    before = home._call(derive, wire.Key)
    destroy(home, old.id)
    new = identity(home)
    again = home._call(msgspec.structs.replace(derive, identity_key_id=new.id), wire.Key)
    assert again.public_key != before.public_key
    call = Call(home._enclave._parts, None, None, NOW, b"")  # type: ignore[arg-type]
    assert _installations_of(call, OWNER) == {new.public_key, again.public_key}


def destroy(keys: LoopbackKeys, key_id: str) -> None:
    """Without the waiting time, for which a test's clock does not wait."""
    store = keys._enclave._parts.store
    record = store.get(key_id)
    gone = msgspec.structs.replace(record, destroyed_at=NOW, deleted_at=NOW, destroy_after=NOW)
    with store.mutation() as draft:
        draft.replace(gone, bytearray())


@pytest.mark.parametrize(
    "suite", [hpke.X25519_CHACHA20_POLY1305, hpke.XWING_CHACHA20_POLY1305], ids=["x25519", "x-wing"]
)
def test_key_comes_back_by_a_private_key_that_is_kept_elsewhere(
    home: LoopbackKeys, other: LoopbackKeys, suite: hpke.Suite
) -> None:
    private, public = hpke.derive_key_pair(suite, os.urandom(32))
    key = wallet(home)
    backup = home.export_encrypted(key.id, public_keys=[public])
    assert other.import_from_backup(backup.data, private_key=private).public_key == key.public_key
    with pytest.raises(BackupWayMissingError):
        home.import_from_backup(backup.data, private_key=os.urandom(32))


def test_key_comes_back_by_shares(home: LoopbackKeys, other: LoopbackKeys) -> None:
    key = wallet(home)
    backup = home.export_encrypted(key.id, shares=(2, 3))
    assert len(backup.shares) == 3
    assert backup.shares[0] not in repr(backup)
    with pytest.raises(BackupError):
        other.import_from_backup(backup.data, shares=backup.shares[:1])
    restored = other.import_from_backup(backup.data, shares=backup.shares[1:])
    assert restored.public_key == key.public_key


def test_key_goes_to_a_successor_enclave_and_no_other(
    home: LoopbackKeys, other: LoopbackKeys, open_one: Callable[[str], Enclave]
) -> None:
    key = identity(home)
    transport = other._connection.enclave.transport_key
    backup = home.export_encrypted(key.id, successors=[transport])
    with pytest.raises(BackupWayMissingError):
        LoopbackKeys(open_one("third")).import_from_backup(backup.data)
    assert other.import_from_backup(backup.data).public_key == key.public_key


def test_all_versions_of_a_rotated_key_come_back(home: LoopbackKeys, other: LoopbackKeys) -> None:
    made = home._call(wire.GenerateKey(purpose="aead", owner=OWNER, exportable=True), wire.Key)
    sealed = home._call(wire.AeadSeal(key_id=made.id, plaintext=b"text", aad=b""), wire.Ciphertext)
    home._call(wire.RotateKey(key_id=made.id), wire.Key)
    backup = home.export_encrypted(made.id, password=PASSWORD)
    restored = other.import_from_backup(backup.data, password=PASSWORD)
    assert restored.version == 2
    opened = other._call(
        wire.AeadOpen(
            key_id=restored.id, nonce=sealed.nonce, ciphertext=sealed.ciphertext, version=1
        ),
        wire.Plaintext,
    )
    assert opened.plaintext == b"text"


def test_as_many_versions_as_a_key_may_have_come_back_by_every_way_in(
    home: LoopbackKeys, other: LoopbackKeys
) -> None:
    """The largest backup there is: a public key of X-Wing in each version, and in each way in."""
    key = home._call(
        wire.GenerateKey(purpose="hpke", key_type="xwing", owner=OWNER, exportable=True), wire.Key
    )
    for _ in range(MAX_VERSIONS - 1):
        key = home._call(wire.RotateKey(key_id=key.id), wire.Key)
    private, public = hpke.derive_key_pair(hpke.XWING_CHACHA20_POLY1305, os.urandom(32))
    backup = home.export_encrypted(key.id, public_keys=[public] * MAX_WAYS)
    restored = other.import_from_backup(backup.data, private_key=private)
    assert restored.version == MAX_VERSIONS
    versions = other._call(wire.GetVersions(key_id=restored.id), wire.Versions)
    assert versions == home._call(wire.GetVersions(key_id=key.id), wire.Versions)
    assert 64 << 10 < len(backup.data) <= MAX_CONTAINER <= MAX_BACKUP
    by_share = encode_request(
        request(
            1,
            wire.ImportKey(
                bytes(MAX_BACKUP), "shares", wire.SealedInput(bytes(32), bytes(8 << 10))
            ),
        )
    )
    assert len(by_share) <= MAX_REQUEST_BODY


def limited(keys: LoopbackKeys, purpose: str = "aead", **limits: int) -> wire.Key:
    operation = wire.GenerateKey(
        purpose=purpose, owner=OWNER, exportable=True, limits=wire.Limits(**limits)
    )
    return keys._call(operation, wire.Key)


def seal(keys: LoopbackKeys, key_id: str) -> None:
    keys._call(wire.AeadSeal(key_id=key_id, plaintext=b""), wire.Ciphertext)


def test_limits_come_back_with_a_key_and_so_do_its_uses(
    home: LoopbackKeys, other: LoopbackKeys
) -> None:
    """Attack: a key is exported and imported to be used more often, longer and faster."""
    key = limited(home, max_uses=2, expires_at=NOW + 10, rate_count=5, rate_seconds=60)
    seal(home, key.id)
    backup = home.export_encrypted(key.id, password=PASSWORD)
    restored = other.import_from_backup(backup.data, password=PASSWORD)
    again = other._call(wire.GetKey(key_id=restored.id), wire.Key)
    assert again.limits == key.limits
    seal(other, restored.id)
    with pytest.raises(KeyLimitError):
        seal(other, restored.id)


def test_aead_key_comes_back_with_the_bound_of_its_nonces(
    home: LoopbackKeys, other: LoopbackKeys
) -> None:
    key = home._call(wire.GenerateKey(purpose="aead", owner=OWNER, exportable=True), wire.Key)
    backup = home.export_encrypted(key.id, password=PASSWORD)
    restored = other.import_from_backup(backup.data, password=PASSWORD)
    found = other._call(wire.GetKey(key_id=restored.id), wire.Key)
    assert found.limits == wire.Limits(max_uses=1 << 31)


def test_wallet_key_comes_back_with_the_number_of_its_identity_texts(
    home: LoopbackKeys, other: LoopbackKeys
) -> None:
    """Attack: the walls of XMTP's inbox are counted anew in every enclave."""
    key = wallet(home)
    store = home._enclave._parts.store
    counted = msgspec.structs.replace(
        store.get(key.id), identity_updates=7, installations=(b"\x01" * 32, b"\x02" * 32)
    )
    with store.mutation() as draft:
        draft.replace(counted)
    backup = home.export_encrypted(key.id, password=PASSWORD)
    restored = other.import_from_backup(backup.data, password=PASSWORD)
    found = other._enclave._parts.store.get(restored.id)
    assert found is not None
    assert (found.identity_updates, found.installations) == (7, counted.installations)


def test_expired_key_does_not_leave(home: LoopbackKeys) -> None:
    key = limited(home, "mac", expires_at=NOW + 1)
    operation = wire.ExportKey(key_id=key.id, public_keys=(PUBLIC,))
    home._enclave.handle(operation, NOW)
    with pytest.raises(KeyExpiredError):
        home._enclave.handle(operation, NOW + 1)


def test_key_that_expired_in_the_backup_does_not_come_back(
    home: LoopbackKeys, other: LoopbackKeys
) -> None:
    key = limited(home, "mac", expires_at=NOW + 1)
    backup = home.export_encrypted(key.id, successors=[other._connection.enclave.transport_key])
    operation = wire.ImportKey(backup.data, "enclave")
    other._enclave.handle(operation, NOW)
    with pytest.raises(LimitsInvalidError):
        other._enclave.handle(operation, NOW + 1)


def test_wallet_key_leaves_as_a_keystore_that_eth_account_opens(home: LoopbackKeys) -> None:
    key = wallet(home)
    document = home.export_keystore(key.id, PASSWORD)
    opened = Account.from_key(Account.decrypt(document.decode(), PASSWORD))
    assert opened.address == key.owner
    with pytest.raises(BackupRecipientError):
        home.export_keystore(identity(home).id, PASSWORD)


def test_key_leaves_as_an_age_file_that_rage_opens(home: LoopbackKeys) -> None:
    key = wallet(home)
    holder = pyrage.x25519.Identity.generate()
    document = msgspec.json.decode(
        pyrage.decrypt(home.export_age(key.id, [str(holder.to_public())]), [holder])
    )
    assert document["public_key"] == key.public_key.hex()
    assert Account.from_key(document["private_keys"]).address == key.owner
    with pytest.raises(BackupRecipientError):
        home.export_age(key.id, [])


def test_key_that_was_not_made_exportable_does_not_leave(home: LoopbackKeys) -> None:
    key = home.generate_identity_key(OWNER)
    with pytest.raises(KeyNotExportableError):
        home.export_encrypted(key.id, password=PASSWORD)


@pytest.mark.parametrize("own", ["authority_key_id", "transport_key_id"])
def test_enclaves_own_keys_do_not_leave(home: LoopbackKeys, own: str) -> None:
    with pytest.raises(OperationNotAllowedError):
        home.export_encrypted(getattr(home._connection.enclave, own), password=PASSWORD)


def test_policy_that_became_stricter_keeps_exportable_keys_inside(home: LoopbackKeys) -> None:
    key = identity(home)
    allow_backups(home._enclave, exportable=False)
    with pytest.raises(XmtpTeeError) as caught:
        home.export_encrypted(key.id, password=PASSWORD)
    assert int(caught.value.exit_code) == 4


def test_backups_are_refused_by_default(folder: Path) -> None:
    enclave = open_enclave(folder / "strict")
    keys = LoopbackKeys(enclave)
    key = keys.generate_identity_key(OWNER)
    with pytest.raises(CallerNotAllowedError):
        keys.export_encrypted(key.id, password=PASSWORD)
    enclave.close()


def test_password_does_not_go_to_an_enclave_that_was_not_verified(home: LoopbackKeys) -> None:
    key = identity(home)
    unverified = LoopbackKeys(home._enclave, verified=False)
    with pytest.raises(EnclaveNotVerifiedError):
        unverified.export_encrypted(key.id, password=PASSWORD)
    backup = unverified.export_encrypted(key.id, password=PASSWORD, unverified_enclave=True)
    with pytest.raises(EnclaveNotVerifiedError):
        unverified.import_from_backup(backup.data, password=PASSWORD)


def test_short_password_is_refused(home: LoopbackKeys) -> None:
    with pytest.raises(BackupPasswordError):
        home.export_encrypted(identity(home).id, password="short")


def test_backup_without_a_way_in_is_refused(home: LoopbackKeys) -> None:
    with pytest.raises(BackupRecipientError):
        home.export_encrypted(identity(home).id)


def test_sealed_password_serves_no_other_request(home: LoopbackKeys, other: LoopbackKeys) -> None:
    """Attack: the host replays what a client sealed to the enclave, over another backup."""
    key = identity(home)
    seen: list[wire.ImportKey] = []
    backup, second = (home.export_encrypted(key.id, password=PASSWORD) for _ in range(2))
    genuine = other._call

    def watching(operation: object, expected: object) -> object:
        assert isinstance(operation, wire.ImportKey)
        seen.append(operation)
        raise BackupDoesNotOpenError("watched")

    other._call = watching  # type: ignore[method-assign]
    with pytest.raises(BackupDoesNotOpenError):
        other.import_from_backup(backup.data, password=PASSWORD)
    (operation,) = seen
    with pytest.raises(BackupDoesNotOpenError):
        genuine(msgspec.structs.replace(operation, container=second.data), wire.Key)
    with pytest.raises(BackupDoesNotOpenError):
        home._call(operation, wire.Key)
    assert genuine(operation, wire.Key).public_key == key.public_key


@pytest.mark.parametrize(
    "change",
    [
        {"public_keys": (PUBLIC,)},
        {"successors": (PUBLIC,)},
        {"shares": wire.ShareCount(2, 3), "reply_key": PUBLIC},
        {"format": "keystore"},
        {"key_id": None},
    ],
    ids=lambda change: next(iter(change)),
)
def test_sealed_password_serves_no_export_to_somebody_else(
    home: LoopbackKeys, change: dict[str, object]
) -> None:
    """Attack: the host adds itself as a recipient to a request with a captured password."""
    key, second = wallet(home), wallet(home)
    operation = wire.ExportKey(key_id=key.id)
    password = home._sealed(bytearray(PASSWORD.encode()), operation, True)
    genuine = msgspec.structs.replace(operation, password=password)
    if "key_id" in change:
        change = {"key_id": second.id}
    with pytest.raises(BackupDoesNotOpenError):
        home._call(msgspec.structs.replace(genuine, **change), wire.ExportedKey)
    home._call(genuine, wire.ExportedKey)


def test_sealed_data_key_makes_no_exportable_key(home: LoopbackKeys, other: LoopbackKeys) -> None:
    """Attack: the host has a key taken in so that it may leave again."""
    backup = home.export_encrypted(wallet(home).id, password=PASSWORD)
    operation = wire.ImportKey(backup.data, "password")
    secret = other._sealed(bytearray(PASSWORD.encode()), operation, True)
    for change in ({"exportable": True}, {"label": "another"}, {"way": "shares"}):
        with pytest.raises(BackupDoesNotOpenError):
            other._call(msgspec.structs.replace(operation, secret=secret, **change), wire.Key)
    other._call(msgspec.structs.replace(operation, secret=secret), wire.Key)


def test_owner_keeps_one_identity_key(home: LoopbackKeys) -> None:
    backup = home.export_encrypted(identity(home).id, password=PASSWORD)
    with pytest.raises(IdentityKeyExistsError):
        home.import_from_backup(backup.data, password=PASSWORD)


LIES = {
    "another public key": {"public_key": bytes(32)},
    "another purpose": {"purpose": "aead", "key_type": "aes-256-gcm"},
    "the enclave's authority": {"purpose": "authority", "key_type": "secp256k1"},
    "a pre-key": {"purpose": "pre-key", "key_type": "x25519"},
    "an unknown purpose": {"purpose": "anything"},
    "without an owner": {"owner": None},
    "a stranger's": {"owner": STRANGER},
    "a wrong type": {"key_type": "x25519"},
    "a floor above its version": {"minimum_version": 2},
}


@pytest.mark.parametrize("lie", LIES)
def test_backup_whose_facts_were_changed_brings_no_key(
    home: LoopbackKeys, other: LoopbackKeys, lie: str
) -> None:
    container = parse(home.export_encrypted(identity(home).id, password=PASSWORD).data)
    facts = msgspec.structs.replace(container.header.key, **LIES[lie])
    header = msgspec.structs.replace(container.header, key=facts)
    before = other._enclave._parts.store.epoch
    with pytest.raises((BackupDoesNotOpenError, BackupMalformedError, OperationNotAllowedError)):
        other.import_from_backup(encode_header(header) + container.body, password=PASSWORD)
    assert other._enclave._parts.store.epoch == before


def test_genuinely_sealed_lie_brings_no_key(other: LoopbackKeys) -> None:
    """Attack: a container made by somebody else's program, whose public key is another's."""
    data, _ = sealed()
    with pytest.raises(BackupMalformedError, match="does not belong"):
        other.import_from_backup(data, password=PASSWORD)
    assert FACTS.public_key == parse(data).header.key.public_key


def test_wrong_password_and_damaged_backup_look_alike(
    home: LoopbackKeys, other: LoopbackKeys
) -> None:
    data = home.export_encrypted(identity(home).id, password=PASSWORD).data
    answers = []
    for backup, password in ((data, PASSWORD + "!"), (data[:-1] + bytes([data[-1] ^ 1]), PASSWORD)):
        with pytest.raises(BackupDoesNotOpenError) as caught:
            other.import_from_backup(backup, password=password)
        answers.append(caught.value.as_dict())
    assert answers[0] == answers[1]
    assert other._enclave._parts.store.count == 2


def test_audit_names_exports_and_imports(home: LoopbackKeys) -> None:
    key = identity(home)
    home.export_encrypted(key.id, password=PASSWORD)
    page = home._enclave.handle(wire.ReadAudit(), NOW)
    assert isinstance(page, wire.AuditPage)
    assert any(b"export-key" in entry for entry in page.entries)
