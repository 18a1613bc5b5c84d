"""Recovery: a store whose platform is gone opens with the key from the safe, and with no other."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from tests.enclave.loopback import ADMINISTRATIVE, LoopbackKeys, allow_backups
from tests.enclave.places import Place, flipped, open_enclave, open_store
from tests.enclave.support import NOW, OWNER, REGISTRY, STRANGER, FixedDriver
from xmtp_tee import hpke
from xmtp_tee.attestation.kinds import Provenance
from xmtp_tee.enclave.draft import open_document
from xmtp_tee.enclave.errors import StoreSealedElsewhereError
from xmtp_tee.enclave.records import KeyRecord, document_data
from xmtp_tee.enclave.recovery import SUITE, recover
from xmtp_tee.enclave.sealing import unseal_store_key
from xmtp_tee.enclave.service import Enclave
from xmtp_tee.enclave.storage.opening import open_rows
from xmtp_tee.enclave.storage.rows import Document
from xmtp_tee.enclave.store import SealedStore
from xmtp_tee.policy import encode_policy
from xmtp_tee.policy.document import Caller, Grant, StoreRules
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.store_faults import StoreTamperedError, SuccessorRefusedError

PRIVATE, PUBLIC = hpke.derive_key_pair(SUITE, bytes(32))
NEW = FixedDriver(root=b"N" * 32)


@pytest.fixture
def sealed(place: Place) -> Place:
    """A closed store with a key, sealed to the recovery key too."""
    enclave = open_enclave(place)
    identity = enclave.handle(wire.GenerateIdentityKey(owner=OWNER), NOW)
    assert isinstance(identity, wire.Key)
    enclave.handle(wire.GeneratePreKey(identity_key_id=identity.id), NOW)
    enclave.handle(wire.GenerateKey(purpose="wallet"), NOW)
    allow_backups(enclave)
    grant(enclave, ())
    with pytest.raises(SuccessorRefusedError):
        enclave.handle(wire.ExportRecovery(recipient=PUBLIC), NOW)
    grant(enclave, (PUBLIC.hex(),))
    enclave.handle(wire.ExportRecovery(recipient=PUBLIC), NOW)
    enclave.close()
    return place


def grant(enclave: object, recipients: tuple[str, ...]) -> None:
    present = enclave._parts.policy.policy  # type: ignore[attr-defined]
    operations = (
        "*",
        "get-policy",
        "apply-policy",
        "read-audit",
        "export-recovery",
        *ADMINISTRATIVE,
    )
    grants = (Grant(operations=operations, owners=("*",)),)
    policy = msgspec.structs.replace(
        present,
        version=present.version + 1,
        callers=tuple(Caller(name=c.name, uid=c.uid, grants=grants) for c in present.callers),
        store=StoreRules(recovery=recipients),
    )
    enclave.handle(wire.ApplyPolicy(document=encode_policy(policy)), NOW)  # type: ignore[attr-defined]


def recovered(place: Place, private: bytes) -> str:
    rows = open_rows(place.name, None)
    try:
        return recover(rows, bytearray(private), NEW, NOW + 1)
    finally:
        rows.close()


def test_store_is_born_anew_on_a_new_platform_by_its_recovery(sealed: Place) -> None:
    with pytest.raises(StoreSealedElsewhereError):
        open_store(sealed, NEW)
    before = open_enclave(sealed)
    policy, records = before._parts.policy.policy, list(everything(before))
    before.close()
    store_id = recovered(sealed, PRIVATE)
    after = open_enclave(sealed, NEW)
    assert after.describe().store_id == store_id != before.describe().store_id
    assert after._parts.policy.policy == policy
    expected = [
        (msgspec.structs.replace(record, provenance=Provenance.IMPORTED, requests=()), secret)
        for record, secret in records
    ]
    assert list(everything(after)) == expected
    assert len(expected) == 3
    after._parts.store.verify()
    after.close()
    with pytest.raises(StoreSealedElsewhereError):
        open_store(sealed)


def everything(enclave: Enclave) -> Iterator[tuple[KeyRecord, bytes]]:
    for record, secret in enclave._parts.store.held():
        yield record, bytes(secret)


def test_keys_of_a_recovered_store_are_certified_as_imported(sealed: Place) -> None:
    """Attack: the host makes a store outside of any TEE and has a genuine enclave recover it."""
    recovered(sealed, PRIVATE)
    enclave = open_enclave(sealed, NEW)
    keys = LoopbackKeys(enclave)
    identity = keys.get_identity_key(OWNER)
    attested = enclave.handle(wire.AttestKey(key_id=identity.id, challenge=bytes(32)), NOW)
    assert isinstance(attested, wire.AttestedKey)
    assert attested.provenance == "imported"
    (pre_key, *_) = keys.get_pre_keys(identity.id)
    for each in (pre_key.id, keys.generate_pre_key(identity.id).id):
        certificate = enclave.handle(
            wire.CertifyKeyBundle(
                identity_key_id=identity.id, pre_key_id=each, chain_id=1, key_registry=REGISTRY
            ),
            NOW,
        )
        assert isinstance(certificate, wire.Certificate)
        assert certificate.provenance == "imported"
    assert keys.derive_installation_key(identity.id, "laptop").provenance == "imported"
    fresh = keys.generate_identity_key(STRANGER)
    assert fresh.provenance == "generated"
    enclave.close()


def test_holder_of_the_old_store_key_has_nothing_in_the_new_store(sealed: Place) -> None:
    """Attack: the host knows the store key that was recovered, and the authority's key with it."""
    enclave = open_enclave(sealed)
    old_key = bytearray(
        unseal_store_key(enclave._parts.store.wraps(), FixedDriver(), store_id(enclave))
    )
    old = enclave.describe()
    enclave.close()
    recovered(sealed, PRIVATE)
    enclave = open_enclave(sealed, NEW)
    new = enclave.describe()
    assert new.authority != old.authority
    assert new.transport_key != old.transport_key
    assert [wrap.name.partition("/")[0] for wrap in enclave._parts.store.wraps()] == ["platform"]
    enclave.close()
    rows = open_rows(sealed.name, None)
    with pytest.raises(StoreTamperedError):
        SealedStore.unsealed(rows, old_key)
    rows.close()


def store_id(enclave: Enclave) -> bytes:
    return bytes.fromhex(enclave.describe().store_id)


def test_changed_row_is_not_recovered(sealed: Place) -> None:
    ((position, record),) = sealed.rows("SELECT position, record FROM keys WHERE position = 3")
    sealed.execute(
        "UPDATE keys SET record = ? WHERE position = ?", flipped(bytes(record)), position
    )
    with pytest.raises(StoreTamperedError):
        recovered(sealed, PRIVATE)


def test_document_under_another_name_is_refused(sealed: Place) -> None:
    enclave = open_enclave(sealed)
    store = enclave._parts.store
    (found,) = store._rows.documents()
    renamed = msgspec.msgpack.encode(("audit", b""))
    data = document_data(store.store_id, found.epoch, found.id)
    changed = Document(found.id, found.epoch, store._sealer.seal("document", renamed, data))
    with pytest.raises(StoreTamperedError, match="another name"):
        open_document(store._sealer, store.store_id, changed)
    enclave.close()


def test_recipient_that_the_policy_strikes_loses_its_way_in(sealed: Place) -> None:
    enclave = open_enclave(sealed)
    private, second = hpke.derive_key_pair(SUITE, b"\x02" * 32)
    grant(enclave, (PUBLIC.hex(), second.hex()))
    enclave.handle(wire.ExportRecovery(recipient=second), NOW)
    assert len(enclave._parts.store.wraps()) == 3
    grant(enclave, (second.hex(),))
    assert len(enclave._parts.store.wraps()) == 2
    enclave.close()
    with pytest.raises(StoreSealedElsewhereError):
        recovered(sealed, PRIVATE)
    recovered(sealed, private)


def test_other_key_recovers_nothing(sealed: Place) -> None:
    with pytest.raises(StoreSealedElsewhereError):
        recovered(sealed, b"\x01" * 32)
    open_store(sealed).close()


def test_changed_wrap_recovers_nothing(sealed: Place) -> None:
    ((name, wrapped),) = sealed.rows("SELECT name, wrapped FROM wraps WHERE name LIKE 'recovery/%'")
    sealed.execute("UPDATE wraps SET wrapped = ? WHERE name = ?", flipped(bytes(wrapped)), name)
    with pytest.raises(StoreTamperedError):
        recovered(sealed, PRIVATE)
    open_store(sealed).close()
