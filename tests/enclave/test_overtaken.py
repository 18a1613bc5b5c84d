"""Several enclaves over one store, asked to change the same thing at the same moment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.enclave.operating import own_policy
from tests.enclave.places import PostgresPlace, open_enclave
from tests.enclave.support import NOW, OWNER
from tests.support.postgres import Cluster
from xmtp_tee.enclave.callers import Peer
from xmtp_tee.enclave.service import Enclave
from xmtp_tee.errors import XmtpTeeError
from xmtp_tee.policy import encode_policy
from xmtp_tee.policy.document import Caller, Grant, KeyRules
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.refusals import (
    CallerLimitError,
    CallerUnknownError,
    KeyLimitError,
    PolicyVersionError,
    ReleaseRefusedError,
)


@pytest.fixture
def two(cluster: Cluster) -> Iterator[tuple[Enclave, Enclave]]:
    place = PostgresPlace(cluster)
    pair = open_enclave(place), open_enclave(place)
    yield pair
    for enclave in pair:
        enclave.close()


def key_of(enclave: Enclave, purpose: str = "mac", **fields: object) -> wire.Key:
    made = enclave.handle(wire.GenerateKey(purpose=purpose, owner=OWNER, **fields), NOW)
    assert isinstance(made, wire.Key)
    return made


def overtake(
    enclave: Enclave, other: Enclave, operation: wire.Operation, times: int = 1
) -> list[int]:
    """Have ``other`` carry out ``operation`` between the moment when ``enclave`` reads a key and the
    moment when it changes it."""
    store, left = enclave._parts.store, [times]
    read = store.get

    def get(key_id: str) -> object:
        found = read(key_id)
        if left[0]:
            left[0] -= 1
            other.handle(operation, NOW)
        return found

    store.get = get  # type: ignore[method-assign,assignment]
    return left


def asked_in_turn(
    two: tuple[Enclave, Enclave],
    operation: wire.Operation,
    until: type[XmtpTeeError],
    peer: Peer | None = None,
) -> int:
    """Ask the two by turns, and return how often one answered before the first refusal."""
    for number in range(100):
        try:
            two[number % 2].handle(operation, NOW, peer)
        except until:
            return number
    raise AssertionError("never refused")


def test_two_rotations_at_once_make_two_versions(two: tuple[Enclave, Enclave]) -> None:
    first, second = two
    key = key_of(first)
    rotate = wire.RotateKey(key_id=key.id)
    left = overtake(first, second, rotate, 3)
    made = first.handle(rotate, NOW)
    assert isinstance(made, wire.Key)
    assert (made.version, left) == (5, [0])
    versions = second.handle(wire.GetVersions(key_id=key.id), NOW)
    assert isinstance(versions, wire.Versions)
    assert [each.number for each in versions.versions] == [1, 2, 3, 4, 5]


def test_limited_key_is_used_by_both_together_as_often_as_it_may(
    two: tuple[Enclave, Enclave],
) -> None:
    key = key_of(two[0], limits=wire.Limits(max_uses=10))
    mac = wire.ComputeMac(key_id=key.id, message=b"")
    assert asked_in_turn(two, mac, KeyLimitError) == 10


def test_policy_of_one_is_in_force_at_the_other_at_once(two: tuple[Enclave, Enclave]) -> None:
    first, second = two
    loose = own_policy(1, keys=KeyRules(release_shared_secrets=True))
    first.handle(wire.ApplyPolicy(document=encode_policy(loose)), NOW)
    key_of(second, "key-agreement", releases=True)
    second.handle(wire.ApplyPolicy(document=encode_policy(own_policy(2))), NOW)
    with pytest.raises(ReleaseRefusedError):
        key_of(first, "key-agreement", releases=True)
    with pytest.raises(PolicyVersionError):
        first.handle(wire.ApplyPolicy(document=encode_policy(loose)), NOW)


def guests(*, version: int, **fields: object) -> wire.ApplyPolicy:
    grant = Grant(operations=("*",), owners=("*",))
    guest = Caller(name="guest", uid=4242, grants=(grant,), **fields)  # type: ignore[arg-type]
    policy = own_policy(version, callers=(*own_policy().callers, guest))
    return wire.ApplyPolicy(document=encode_policy(policy))


def test_caller_that_is_struck_meanwhile_changes_nothing(two: tuple[Enclave, Enclave]) -> None:
    """Attack: a request that is overtaken by the very policy that ends its caller's rights."""
    first, second = two
    first.handle(guests(version=1), NOW)
    key = key_of(first)
    strike = wire.ApplyPolicy(document=encode_policy(own_policy(2)))
    overtake(first, second, strike)
    with pytest.raises(CallerUnknownError):
        first.handle(wire.RotateKey(key_id=key.id), NOW, Peer(uid=4242))
    found = second.handle(wire.GetKey(key_id=key.id), NOW)
    assert isinstance(found, wire.Key)
    assert found.version == 1


def test_overtaken_request_counts_once(two: tuple[Enclave, Enclave]) -> None:
    first, second = two
    first.handle(guests(version=1, max_requests=2), NOW)
    key = key_of(first)
    rotate = wire.RotateKey(key_id=key.id)
    overtake(first, second, rotate, 3)
    for _ in range(2):
        first.handle(rotate, NOW, Peer(uid=4242))
    with pytest.raises(CallerLimitError):
        first.handle(rotate, NOW, Peer(uid=4242))


def test_caller_makes_its_requests_at_both_together(two: tuple[Enclave, Enclave]) -> None:
    grant = Grant(operations=("*",), owners=("*",))
    guest = Caller(name="guest", uid=4242, grants=(grant,), max_requests=6)
    policy = own_policy(1, callers=(*own_policy().callers, guest))
    two[0].handle(wire.ApplyPolicy(document=encode_policy(policy)), NOW)
    assert asked_in_turn(two, wire.Ping(), CallerLimitError, Peer(uid=4242)) == 6
