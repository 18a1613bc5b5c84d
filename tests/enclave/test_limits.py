"""Limits of keys and callers: exact, kept over restarts where they say so, never above."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.enclave.operating import SELF, Desk, own_policy
from tests.enclave.support import REGISTRY
from xmtp_tee.enclave.rates import Meter
from xmtp_tee.policy.document import Caller, Grant, Rate
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.refusals import (
    CallerLimitError,
    CallerUnknownError,
    KeyExpiredError,
    KeyLimitError,
    RateLimitedError,
)


def use(desk: Desk, key: wire.Key) -> None:
    desk.ask(wire.ComputeMac(key_id=key.id, message=b""), wire.Mac)


@pytest.mark.parametrize("maximum", [1, 2, 63, 64, 130])
def test_key_is_used_exactly_as_often_as_it_may(desk: Desk, maximum: int) -> None:
    key = desk.make("mac", limits=wire.Limits(max_uses=maximum))
    for _ in range(maximum):
        use(desk, key)
    for _ in range(2):
        with pytest.raises(KeyLimitError):
            use(desk, key)
        desk.restart()


def test_restarts_never_give_a_use_back(desk: Desk) -> None:
    """Attack: the host kills the enclave after each use, before anything could be written."""
    key = desk.make("mac", limits=wire.Limits(max_uses=200))
    used = 0
    while True:
        try:
            use(desk, key)
        except KeyLimitError:
            break
        used += 1
        desk.restart()
    assert 60 <= used <= 200  # blocks of three: what a stop leaves of one is lost, not given again


def test_uses_count_for_each_version(desk: Desk) -> None:
    key = desk.make("mac", limits=wire.Limits(max_uses=1))
    use(desk, key)
    with pytest.raises(KeyLimitError):
        use(desk, key)
    desk.ask(wire.RotateKey(key_id=key.id))
    use(desk, key)


def test_refused_use_is_not_counted(desk: Desk) -> None:
    key = desk.make("aead", limits=wire.Limits(max_uses=1))
    desk.ask(wire.DeleteKey(key_id=key.id))
    for _ in range(3):
        with pytest.raises(Exception, match="deleted"):
            desk.ask(wire.AeadSeal(key_id=key.id, plaintext=b""), wire.Ciphertext)
    desk.ask(wire.RestoreKey(key_id=key.id))
    desk.ask(wire.AeadSeal(key_id=key.id, plaintext=b""), wire.Ciphertext)


@pytest.mark.parametrize("expired", ["identity", "pre-key", "parent"])
def test_expired_key_stands_in_nothing_and_has_nothing_derived(desk: Desk, expired: str) -> None:
    """Attack: operations that use a private key beside the one that the request is about."""
    identity = desk.identity()
    pre_key = desk.ask(wire.GeneratePreKey(identity_key_id=identity.id), wire.PreKey)
    key_id = pre_key.id if expired == "pre-key" else identity.id
    limits = wire.Limits(expires_at=desk.now + 5)
    desk.ask(wire.UpdateKey(key_id=key_id, limits=limits))
    certify = wire.CertifyKeyBundle(
        identity_key_id=identity.id, pre_key_id=pre_key.id, chain_id=1, key_registry=REGISTRY
    )
    derive = wire.DeriveInstallationKey(identity_key_id=identity.id, device_id="phone")
    desk.now += 5
    if expired == "parent":
        with pytest.raises(KeyExpiredError):
            desk.ask(derive)
    else:
        with pytest.raises(KeyExpiredError):
            desk.ask(certify, wire.Certificate)
    desk.now -= 1
    desk.restart()
    desk.ask(derive)
    desk.ask(certify, wire.Certificate)


def test_next_version_is_not_derived_from_an_expired_parent(desk: Desk) -> None:
    parent = desk.make("derivation", limits=wire.Limits(expires_at=desk.now + 5))
    child = desk.ask(wire.DeriveKey(parent_key_id=parent.id, purpose="mac", path="a"))
    desk.ask(wire.RotateKey(key_id=child.id))
    desk.now += 5
    with pytest.raises(KeyExpiredError):
        desk.ask(wire.RotateKey(key_id=child.id))


def test_installations_are_derived_as_often_as_the_identity_key_may_be_used(desk: Desk) -> None:
    identity = desk.identity()
    desk.ask(wire.UpdateKey(key_id=identity.id, limits=wire.Limits(max_uses=1)))
    desk.ask(wire.DeriveInstallationKey(identity_key_id=identity.id, device_id="phone"))
    with pytest.raises(KeyLimitError):
        desk.ask(wire.DeriveInstallationKey(identity_key_id=identity.id, device_id="laptop"))


def test_key_expires_at_its_second(desk: Desk) -> None:
    key = desk.make("mac", limits=wire.Limits(expires_at=desk.now + 5))
    desk.now += 4
    use(desk, key)
    desk.now += 1
    with pytest.raises(KeyExpiredError):
        use(desk, key)
    desk.ask(wire.GetKey(key_id=key.id))
    desk.ask(wire.UpdateKey(key_id=key.id, limits=wire.Limits(expires_at=desk.now + 1)))
    use(desk, key)


def test_key_that_is_used_too_fast_is_refused_for_a_while(desk: Desk) -> None:
    key = desk.make("mac", limits=wire.Limits(rate_count=3, rate_seconds=10))
    for _ in range(3):
        use(desk, key)
    with pytest.raises(RateLimitedError, match="3 in 10 s"):
        use(desk, key)
    desk.now += 9
    with pytest.raises(RateLimitedError):
        use(desk, key)
    desk.now += 1
    use(desk, key)


def test_caller_that_is_too_fast_is_refused_and_others_are_not(desk: Desk) -> None:
    grant = Grant(operations=("*", "apply-policy"), owners=("*",))
    slow = Caller(name="slow", uid=4242, grants=(grant,), rate=Rate(count=2, seconds=5))
    desk.apply(own_policy(callers=(*own_policy().callers, slow)))
    from xmtp_tee.enclave.callers import Peer

    peer = Peer(uid=4242)
    for _ in range(2):
        desk.ask(wire.Ping(), wire.Pong, peer)
    with pytest.raises(RateLimitedError):
        desk.ask(wire.Ping(), wire.Pong, peer)
    desk.ask(wire.Ping(), wire.Pong, SELF)
    desk.now += 5
    desk.ask(wire.Ping(), wire.Pong, peer)


def test_callers_time_is_over_at_its_second(desk: Desk) -> None:
    grant = Grant(operations=("*",), owners=("*",))
    guest = Caller(name="guest", uid=4242, grants=(grant,), expires_at=desk.now + 5)
    desk.apply(own_policy(callers=(*own_policy().callers, guest)))
    from xmtp_tee.enclave.callers import Peer

    desk.now += 4
    desk.ask(wire.Ping(), wire.Pong, Peer(uid=4242))
    desk.now += 1
    with pytest.raises(CallerUnknownError):
        desk.ask(wire.Ping(), wire.Pong, Peer(uid=4242))


@given(
    count=st.integers(1, 5),
    seconds=st.integers(1, 300),
    steps=st.lists(st.integers(0, 40), max_size=60),
)
def test_meter_never_lets_more_through_than_any_window_may_hold(
    count: int, seconds: int, steps: list[int]
) -> None:
    meter, now, passed = Meter(count, seconds), 1_800_000_000, deque[int]()
    for step in steps:
        now += step
        if meter.take(now):
            passed.append(now)
    for begin in passed:
        assert sum(begin <= each < begin + seconds for each in passed) <= count


@given(count=st.integers(1, 5), seconds=st.integers(1, 300))
def test_meter_opens_again_after_the_window_and_a_slot(count: int, seconds: int) -> None:
    meter, now = Meter(count, seconds), 1_800_000_000
    assert [meter.take(now) for _ in range(count + 1)] == [True] * count + [False]
    assert meter.take(now + seconds + max(1, seconds // 60))


def test_caller_makes_exactly_as_many_requests_as_it_may(desk: Desk) -> None:
    """Attack: the host restarts the enclave after each request."""
    from xmtp_tee.enclave.callers import Peer

    grant = Grant(operations=("*",), owners=("*",))
    guest = Caller(name="guest", uid=4242, grants=(grant,), max_requests=5)
    desk.apply(own_policy(callers=(*own_policy().callers, guest)))
    for _ in range(5):
        desk.ask(wire.Ping(), wire.Pong, Peer(uid=4242))
        desk.restart()
    with pytest.raises(CallerLimitError):
        desk.ask(wire.Ping(), wire.Pong, Peer(uid=4242))
    desk.change(callers=(*own_policy().callers, guest))
    with pytest.raises(CallerLimitError):
        desk.ask(wire.Ping(), wire.Pong, Peer(uid=4242))
    desk.ask(wire.Ping(), wire.Pong, SELF)


def test_lowered_limit_holds_for_what_is_reserved_already(desk: Desk) -> None:
    key = desk.make("mac", limits=wire.Limits(max_uses=6400))
    use(desk, key)
    lowered = wire.Limits(max_uses=50)
    desk.ask(wire.UpdateKey(key_id=key.id, limits=lowered))
    for _ in range(49):
        use(desk, key)
    with pytest.raises(KeyLimitError):
        use(desk, key)
