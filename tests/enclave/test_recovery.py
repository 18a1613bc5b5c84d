"""Recovery: a store whose platform is gone opens with the key from the safe, and with no other."""

from __future__ import annotations

import msgspec
import pytest

from tests.enclave.loopback import ADMINISTRATIVE, allow_backups
from tests.enclave.places import Place, flipped, open_enclave, open_store
from tests.enclave.support import NOW, OWNER, FixedDriver
from xmtp_tee import hpke
from xmtp_tee.enclave.errors import StoreSealedElsewhereError
from xmtp_tee.enclave.recovery import SUITE, recover
from xmtp_tee.enclave.storage.opening import open_rows
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
    enclave.handle(wire.GenerateIdentityKey(owner=OWNER), NOW)
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
        return recover(rows, bytearray(private), NEW)
    finally:
        rows.close()


def test_store_opens_on_a_new_platform_after_its_recovery(sealed: Place) -> None:
    with pytest.raises(StoreSealedElsewhereError):
        open_store(sealed, NEW)
    store_id = recovered(sealed, PRIVATE)
    store = open_store(sealed, NEW)
    assert store.store_id.hex() == store_id
    assert store.identity_of(OWNER) is not None
    store.verify()
    store.close()
    open_store(sealed).close()


def test_other_key_recovers_nothing(sealed: Place) -> None:
    with pytest.raises(StoreSealedElsewhereError):
        recovered(sealed, b"\x01" * 32)


def test_changed_wrap_recovers_nothing(sealed: Place) -> None:
    ((name, wrapped),) = sealed.rows("SELECT name, wrapped FROM wraps WHERE name LIKE 'recovery/%'")
    sealed.execute("UPDATE wraps SET wrapped = ? WHERE name = ?", flipped(bytes(wrapped)), name)
    with pytest.raises(StoreTamperedError):
        recovered(sealed, PRIVATE)
