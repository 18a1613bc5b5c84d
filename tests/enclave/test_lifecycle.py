"""The life of a key: versions, deletion with a waiting time, destruction."""

from __future__ import annotations

import sqlite3

import pytest

from tests.enclave.operating import Desk
from tests.enclave.support import OWNER
from xmtp_tee.errors import XmtpTeeError
from xmtp_tee.policy.document import DAY, KeyRules
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.faults import IdentityKeyExistsError, OperationNotAllowedError
from xmtp_tee.wire.refusals import (
    KeyDeletedError,
    KeyDestroyedError,
    KeyLimitError,
    KeyNotDeletedError,
    KeyVersionError,
    LimitsInvalidError,
    WaitingTimeError,
)


def sealed(desk: Desk, key_id: str, text: bytes = b"text") -> wire.Ciphertext:
    return desk.ask(wire.AeadSeal(key_id=key_id, plaintext=text, aad=b"aad"), wire.Ciphertext)


def opened(desk: Desk, key_id: str, message: wire.Ciphertext, version: int | None = None) -> bytes:
    operation = wire.AeadOpen(
        key_id=key_id,
        nonce=message.nonce,
        ciphertext=message.ciphertext,
        aad=b"aad",
        version=message.version if version is None else version,
    )
    return desk.ask(operation, wire.Plaintext).plaintext


def test_rotated_key_seals_under_the_new_version_and_opens_the_old(desk: Desk) -> None:
    key = desk.make("aead")
    messages = [sealed(desk, key.id)]
    for version in (2, 3, 4):
        rotated = desk.ask(wire.RotateKey(key_id=key.id))
        assert (rotated.version, rotated.minimum_version, rotated.id) == (version, 1, key.id)
        messages.append(sealed(desk, key.id))
    assert [message.version for message in messages] == [1, 2, 3, 4]
    desk.restart()
    assert [opened(desk, key.id, message) for message in messages] == [b"text"] * 4


def test_every_version_has_another_key(desk: Desk) -> None:
    key = desk.make("key-agreement")
    for _ in range(3):
        desk.ask(wire.RotateKey(key_id=key.id))
    answer = desk.ask(wire.GetVersions(key_id=key.id), wire.Versions)
    assert [each.number for each in answer.versions] == [1, 2, 3, 4]
    assert len({each.public_key for each in answer.versions}) == 4
    assert answer.versions[0].public_key == key.public_key


def test_version_below_the_minimum_is_refused_and_trimmed_away(desk: Desk) -> None:
    key = desk.make("aead")
    old = sealed(desk, key.id)
    desk.ask(wire.RotateKey(key_id=key.id))
    new = sealed(desk, key.id)
    desk.ask(wire.SetMinimumVersion(key_id=key.id, version=2))
    with pytest.raises(KeyVersionError):
        opened(desk, key.id, old)
    trimmed = desk.ask(wire.TrimKey(key_id=key.id))
    assert (trimmed.version, trimmed.minimum_version) == (2, 2)
    assert opened(desk, key.id, new) == b"text"
    versions = desk.ask(wire.GetVersions(key_id=key.id), wire.Versions).versions
    assert [each.number for each in versions] == [2]
    assert desk.ask(wire.TrimKey(key_id=key.id)) == trimmed


@pytest.mark.parametrize("version", [3, 4, 2**31 - 1])
def test_version_that_is_not_there_is_refused(desk: Desk, version: int) -> None:
    key = desk.make("aead")
    desk.ask(wire.RotateKey(key_id=key.id))
    with pytest.raises(KeyVersionError, match=str(version)):
        opened(desk, key.id, sealed(desk, key.id), version)


@pytest.mark.parametrize(("minimum", "asked"), [(1, 3), (2, 1), (1, 1000)])
def test_minimum_version_only_rises_up_to_the_current(desk: Desk, minimum: int, asked: int) -> None:
    key = desk.make("aead")
    desk.ask(wire.RotateKey(key_id=key.id))
    desk.ask(wire.SetMinimumVersion(key_id=key.id, version=minimum))
    with pytest.raises(KeyVersionError):
        desk.ask(wire.SetMinimumVersion(key_id=key.id, version=asked))


def test_versions_are_bounded_until_they_are_trimmed(desk: Desk) -> None:
    key = desk.make("mac")
    for _ in range(63):
        key = desk.ask(wire.RotateKey(key_id=key.id))
    with pytest.raises(KeyLimitError, match="64"):
        desk.ask(wire.RotateKey(key_id=key.id))
    desk.ask(wire.SetMinimumVersion(key_id=key.id, version=64))
    desk.ask(wire.TrimKey(key_id=key.id))
    assert desk.ask(wire.RotateKey(key_id=key.id)).version == 65


def test_identity_and_wallet_keys_do_not_rotate(desk: Desk) -> None:
    for key in (desk.identity(), desk.make("wallet")):
        with pytest.raises(OperationNotAllowedError):
            desk.ask(wire.RotateKey(key_id=key.id))


def test_deleted_key_is_out_of_use_until_it_is_restored(desk: Desk) -> None:
    key = desk.identity()
    deleted = desk.ask(wire.DeleteKey(key_id=key.id))
    assert (deleted.state, deleted.deleted_at) == ("deleted", desk.now)
    assert deleted.destroy_after == desk.now + 7 * DAY
    desk.restart()
    for operation in (
        wire.Sign(key_id=key.id, message=b""),
        wire.GeneratePreKey(identity_key_id=key.id),
        wire.DeriveInstallationKey(identity_key_id=key.id, device_id="d"),
        wire.UpdateKey(key_id=key.id, label="l"),
        wire.DeleteKey(key_id=key.id),
    ):
        with pytest.raises(KeyDeletedError):
            desk.ask(operation)
    assert desk.ask(wire.GetKey(key_id=key.id)).state == "deleted"
    restored = desk.ask(wire.RestoreKey(key_id=key.id))
    assert (restored.state, restored.deleted_at, restored.destroy_after) == ("active", None, None)
    desk.ask(wire.Sign(key_id=key.id, message=b""), wire.Signature)


def test_key_is_destroyed_only_after_its_waiting_time(desk: Desk) -> None:
    key = desk.make("aead")
    with pytest.raises(KeyNotDeletedError):
        desk.ask(wire.DestroyKey(key_id=key.id))
    due = desk.ask(wire.DeleteKey(key_id=key.id, waiting=8 * DAY)).destroy_after
    assert due == desk.now + 8 * DAY
    desk.now = due - 1
    with pytest.raises(WaitingTimeError, match=str(due)):
        desk.ask(wire.DestroyKey(key_id=key.id))
    desk.now = due
    destroyed = desk.ask(wire.DestroyKey(key_id=key.id))
    assert (destroyed.state, destroyed.destroyed_at) == ("destroyed", due)
    for operation in (
        wire.AeadSeal(key_id=key.id, plaintext=b""),
        wire.RestoreKey(key_id=key.id),
        wire.DestroyKey(key_id=key.id),
        wire.RotateKey(key_id=key.id),
    ):
        with pytest.raises(KeyDestroyedError):
            desk.ask(operation)


def test_destroyed_key_leaves_no_private_half_in_the_store(desk: Desk) -> None:
    desk.change(keys=KeyRules(minimum_waiting=0))
    key = desk.make("aead")
    desk.ask(wire.RotateKey(key_id=key.id))
    desk.ask(wire.DeleteKey(key_id=key.id, waiting=0))
    desk.ask(wire.DestroyKey(key_id=key.id))
    desk.enclave.close()
    connection = sqlite3.connect(desk.path)
    ((secret,),) = connection.execute(
        "SELECT secret FROM keys WHERE id = ?", (bytes.fromhex(key.id),)
    ).fetchall()
    connection.close()
    assert len(secret) <= 28  # nonce and tag around nothing
    desk.enclave = desk._open()
    assert desk.ask(wire.GetKey(key_id=key.id)).state == "destroyed"


@pytest.mark.parametrize("waiting", [0, 1, 7 * DAY - 1, 2**62])
def test_waiting_time_below_the_policys_is_refused(desk: Desk, waiting: int) -> None:
    with pytest.raises(WaitingTimeError):
        desk.ask(wire.DeleteKey(key_id=desk.make("mac").id, waiting=waiting))


def test_clock_that_is_put_back_gives_nothing_back(desk: Desk) -> None:
    """Attack: the host sets its clock back to keep an expired key alive."""
    key = desk.make("mac", limits=wire.Limits(expires_at=desk.now + 10))
    desk.now += 10
    with pytest.raises(XmtpTeeError) as caught:
        desk.ask(wire.ComputeMac(key_id=key.id, message=b""))
    assert caught.value.code == "enclave.key-expired"
    desk.now -= 10
    with pytest.raises(XmtpTeeError) as caught:
        desk.ask(wire.ComputeMac(key_id=key.id, message=b""))
    assert caught.value.code == "enclave.key-expired"


def test_owner_gets_another_identity_key_once_the_first_is_destroyed(desk: Desk) -> None:
    desk.change(keys=KeyRules(minimum_waiting=0))
    first = desk.identity()
    desk.ask(wire.DeleteKey(key_id=first.id))
    with pytest.raises(IdentityKeyExistsError):
        desk.identity()
    desk.ask(wire.DestroyKey(key_id=first.id))
    second = desk.identity()
    assert second.id != first.id
    assert desk.ask(wire.GetIdentityKey(owner=OWNER)) == second


def test_label_and_limits_change_and_the_rest_stays(desk: Desk) -> None:
    key = desk.make("mac", label="old")
    changed = desk.ask(wire.UpdateKey(key_id=key.id, label="new", limits=wire.Limits(max_uses=5)))
    assert (changed.label, changed.limits) == ("new", wire.Limits(max_uses=5))
    assert desk.ask(wire.UpdateKey(key_id=key.id)).label == "new"


@pytest.mark.parametrize(
    "limits",
    [
        wire.Limits(expires_at=1),
        wire.Limits(expires_at=2**40),
        wire.Limits(rate_count=1),
        wire.Limits(rate_seconds=1),
    ],
    ids=str,
)
def test_impossible_limits_are_refused(desk: Desk, limits: wire.Limits) -> None:
    with pytest.raises(LimitsInvalidError):
        desk.make("mac", limits=limits)
    with pytest.raises(LimitsInvalidError):
        desk.ask(wire.UpdateKey(key_id=desk.make("mac").id, limits=limits))
