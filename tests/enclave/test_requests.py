"""Batches, idempotency, searching, and keys that the authority vouches for."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from tests.enclave.operating import Desk, own_policy
from tests.enclave.support import OWNER, STRANGER
from xmtp_tee.attestation.statements import KeyAttestation, require_signed_by
from xmtp_tee.enclave.callers import Peer
from xmtp_tee.enclave.operations.call import KEPT_TOKENS
from xmtp_tee.policy.document import Caller, Grant
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.codec import decode_result, encode_body
from xmtp_tee.wire.refusals import IdempotencyConflictError


def batch(desk: Desk, *operations: wire.Message, peer: Peer | None = None) -> list[object]:
    raws = tuple(msgspec.Raw(encode_body(each)) for each in operations)
    result = desk.ask(wire.Batch(operations=raws), wire.BatchResult, peer)
    return [
        each.failure.code if each.failure is not None else decode_result(wire.Reply(1, each.result))
        for each in result.outcomes
    ]


def test_batch_does_each_and_one_refusal_stops_no_other(desk: Desk) -> None:
    key = desk.identity()
    outcomes = batch(
        desk,
        wire.Sign(key_id=key.id, message=b"1"),
        wire.Sign(key_id="00" * 16, message=b"2"),
        wire.GenerateIdentityKey(owner=STRANGER),
        wire.Sign(key_id=key.id, message=b"3"),
    )
    assert isinstance(outcomes[0], wire.Signature)
    assert outcomes[1] == "enclave.key-not-found"
    assert isinstance(outcomes[2], wire.Key)
    expected = desk.ask(wire.Sign(key_id=key.id, message=b"3"), wire.Signature)
    assert outcomes[3] == expected


def test_batch_in_a_batch_and_rubbish_are_refused_in_their_place(desk: Desk) -> None:
    inner = wire.Batch(operations=(msgspec.Raw(encode_body(wire.Ping())),))
    assert batch(desk, inner, wire.Ping()) == ["enclave.batch-invalid", wire.Pong()]
    raws = (msgspec.Raw(msgspec.msgpack.encode({"type": "export-private-key"})),)
    result = desk.ask(wire.Batch(operations=raws), wire.BatchResult)
    assert result.outcomes[0].failure is not None
    assert result.outcomes[0].failure.code == "wire.message-type-unknown"


def test_batch_grants_nothing_that_its_parts_are_not_granted(desk: Desk) -> None:
    """Attack: a refused operation in a batch, which everyone may send."""
    narrow = Caller(
        name="reader", uid=4242, grants=(Grant(operations=("get-key",), owners=("*",)),)
    )
    desk.apply(own_policy(callers=(*own_policy().callers, narrow)))
    key = desk.identity()
    outcomes = batch(
        desk,
        wire.GetKey(key_id=key.id),
        wire.Sign(key_id=key.id, message=b""),
        wire.GetPolicy(),
        peer=Peer(uid=4242),
    )
    assert outcomes == [key, "enclave.caller-not-allowed", "enclave.caller-not-allowed"]


def test_same_request_under_one_idempotency_key_makes_one_key(desk: Desk) -> None:
    operation = wire.GenerateKey(purpose="mac", owner=OWNER, label="l")
    made = desk.ask(operation, idempotency_key="once")
    desk.restart()
    assert desk.ask(operation, idempotency_key="once") == made
    assert desk.ask(operation, idempotency_key="twice").id != made.id
    assert desk.ask(operation).id != made.id
    with pytest.raises(IdempotencyConflictError):
        desk.ask(wire.GenerateKey(purpose="mac", owner=OWNER), idempotency_key="once")


def test_identity_and_pre_keys_are_made_once_too(desk: Desk) -> None:
    operation = wire.GenerateIdentityKey(owner=OWNER)
    identity = desk.ask(operation, idempotency_key="a")
    assert desk.ask(operation, idempotency_key="a") == identity
    make = wire.GeneratePreKey(identity_key_id=identity.id)
    first = desk.ask(make, wire.PreKey, idempotency_key="b")
    assert desk.ask(make, wire.PreKey, idempotency_key="b") == first
    assert desk.ask(make, wire.PreKey, idempotency_key="c").epoch == 2


def test_rotation_deletion_and_destruction_are_done_once(desk: Desk) -> None:
    key = desk.make("mac")
    rotate = wire.RotateKey(key_id=key.id)
    assert [desk.ask(rotate, idempotency_key="r").version for _ in range(3)] == [2, 2, 2]
    assert desk.ask(rotate, idempotency_key="r2").version == 3
    with pytest.raises(IdempotencyConflictError):
        desk.ask(wire.DeleteKey(key_id=key.id), idempotency_key="r")
    deleted = desk.ask(wire.DeleteKey(key_id=key.id), idempotency_key="d")
    assert desk.ask(wire.DeleteKey(key_id=key.id), idempotency_key="d") == deleted
    desk.now += 7 * 86_400
    destroy = wire.DestroyKey(key_id=key.id)
    destroyed = desk.ask(destroy, idempotency_key="x")
    assert desk.ask(destroy, idempotency_key="x") == destroyed


def test_late_repetition_does_not_undo_what_came_after(desk: Desk) -> None:
    """Attack: the host holds a request back and lets it come once more when limits were tightened."""
    key = desk.make("mac")
    wide = wire.UpdateKey(key_id=key.id, limits=wire.Limits(max_uses=1000))
    desk.ask(wide, idempotency_key="wide")
    tight = desk.ask(wire.UpdateKey(key_id=key.id, limits=wire.Limits(max_uses=1)))
    assert desk.ask(wide, idempotency_key="wide") == tight


@pytest.mark.parametrize(
    "change",
    [
        lambda key: wire.UpdateKey(key_id=key.id, label="another"),
        lambda key: wire.SetMinimumVersion(key_id=key.id, version=2),
        lambda key: wire.TrimKey(key_id=key.id),
    ],
    ids=["update-key", "set-minimum-version", "trim-key"],
)
def test_change_under_a_used_idempotency_key_is_refused(
    desk: Desk, change: Callable[[wire.Key], wire.Message]
) -> None:
    key = desk.make("mac")
    desk.ask(wire.RotateKey(key_id=key.id))
    before = desk.ask(wire.UpdateKey(key_id=key.id, label="one"), idempotency_key="k")
    with pytest.raises(IdempotencyConflictError):
        desk.ask(change(key), idempotency_key="k")
    assert desk.ask(wire.GetKey(key_id=key.id)) == before


def test_repeated_trim_destroys_nothing_that_became_old_since(desk: Desk) -> None:
    key = desk.make("mac")
    desk.ask(wire.RotateKey(key_id=key.id))
    trim = wire.TrimKey(key_id=key.id)
    desk.ask(trim, idempotency_key="t")
    desk.ask(wire.SetMinimumVersion(key_id=key.id, version=2))
    desk.ask(trim, idempotency_key="t")
    versions = desk.ask(wire.GetVersions(key_id=key.id), wire.Versions).versions
    assert [each.number for each in versions] == [1, 2]


def test_birth_is_remembered_however_many_requests_come_after(desk: Desk) -> None:
    make = wire.GenerateKey(purpose="mac", owner=OWNER)
    key = desk.ask(make, idempotency_key="birth")
    for number in range(20):
        update = wire.UpdateKey(key_id=key.id, label=str(number))
        desk.ask(update, idempotency_key=f"update {number}")
    assert desk.ask(make, idempotency_key="birth").id == key.id
    record = desk.enclave._parts.store.get(key.id)
    assert record is not None
    assert len(record.requests) == KEPT_TOKENS
    for number in range(20 - KEPT_TOKENS + 1, 20):
        update = wire.UpdateKey(key_id=key.id, label=str(number))
        assert desk.ask(update, idempotency_key=f"update {number}").label == "19"


def test_idempotency_key_of_another_caller_is_another(desk: Desk) -> None:
    other = Caller(name="other", uid=4242, grants=(Grant(operations=("*",), owners=("*",)),))
    desk.apply(own_policy(callers=(*own_policy().callers, other)))
    operation = wire.GenerateKey(purpose="mac", owner=OWNER)
    made = desk.ask(operation, idempotency_key="k")
    assert desk.ask(operation, wire.Key, Peer(uid=4242), "k").id != made.id


def search(desk: Desk, **fields: object) -> list[str]:
    found, after = [], 0
    while after is not None:
        page = desk.ask(wire.ListKeys(after=after, limit=3, **fields), wire.KeyPage)
        found += [key.id for key in page.keys]
        after = page.next
    return found


def test_search_finds_by_owner_purpose_type_label_and_state(desk: Desk) -> None:
    mac = [desk.make("mac", label=f"app/{n}") for n in range(4)]
    aead = desk.make("aead", key_type="chacha20-poly1305", label="db")
    other = desk.make("mac", owner=STRANGER, label="app/x")
    desk.ask(wire.DeleteKey(key_id=mac[0].id))
    assert search(desk, purpose="mac") == [*(key.id for key in mac), other.id]
    assert search(desk, owner=OWNER, purpose="mac") == [key.id for key in mac]
    assert search(desk, key_type="chacha20-poly1305") == [aead.id]
    assert search(desk, label="app/") == [*(key.id for key in mac), other.id]
    assert search(desk, label="app/2") == [mac[2].id]
    assert search(desk, state="deleted") == [mac[0].id]
    assert search(desk, label="nothing") == []


def test_attested_key_is_signed_by_the_authority_over_the_challenge(desk: Desk) -> None:
    key = desk.make("hpke", key_type="xwing", label="l")
    challenge = bytes(range(32))
    made = desk.ask(wire.AttestKey(key_id=key.id, challenge=challenge), wire.AttestedKey)
    statement = KeyAttestation(
        store_id=bytes.fromhex(desk.enclave.describe().store_id),
        key_id=key.id,
        key_type="xwing",
        purpose="hpke",
        owner=OWNER,
        public_key=key.public_key,
        version=1,
        provenance="generated",
        state="active",
        created_at=key.created_at,
        time=desk.now,
        challenge=challenge,
    )
    require_signed_by(statement.digest(), made.signature, desk.enclave.describe().authority)
