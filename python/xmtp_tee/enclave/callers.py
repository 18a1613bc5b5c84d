"""Who calls, and what the policy grants them. Everything that it does not grant is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from xmtp_tee.attestation.address import checksum_address, parse_address
from xmtp_tee.enclave.rates import Meter
from xmtp_tee.policy.document import ANY, Caller, Policy
from xmtp_tee.policy.operations import ADMINISTRATIVE, OPEN, OPERATIONS
from xmtp_tee.policy.typed_rules import CompiledRule, compile_rule
from xmtp_tee.wire.refusals import (
    CallerLimitError,
    CallerNotAllowedError,
    CallerUnknownError,
    RateLimitedError,
)


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end: the user id that the kernel tells, or an Ed25519 key that was
    proven on this very connection.
    """

    uid: int | None = None
    key: bytes | None = None

    def __str__(self) -> str:
        return f"uid {self.uid}" if self.key is None else f"key {self.key.hex()}"


Owners = frozenset[bytes] | None
"""Whose keys may be touched; None: everyone's."""

Reserve = Callable[[str, int, int], int]
"""``reserve(caller, block, most)``: how many further requests are reserved, up to ``block``, of the
``most`` that a caller may make; on disk when it returns."""

_BLOCK: Final = 1 << 12


class Access:
    """A caller of the policy, made ready: which operations, on whose keys, how fast."""

    __slots__ = ("_expires_at", "_left", "_meter", "_most", "_owners", "name")

    def __init__(self, caller: Caller) -> None:
        self.name: Final = caller.name
        self._expires_at = caller.expires_at
        self._most = caller.max_requests
        self._left = 0
        self._meter = None if caller.rate is None else Meter(caller.rate.count, caller.rate.seconds)
        self._owners: dict[str, Owners] = {name: frozenset() for name in OPEN & OPERATIONS}
        for grant in caller.grants:
            names = set(grant.operations)
            if ANY in names:
                names |= OPERATIONS - ADMINISTRATIVE
                names.discard(ANY)
            owners = (
                None
                if ANY in grant.owners
                else frozenset(parse_address(owner) for owner in grant.owners)
            )
            for name in names:
                self._owners[name] = _joined(self._owners.get(name, frozenset()), owners)

    def granted(self, operation: str, now: int) -> Owners:
        """Return whose keys the caller may touch with ``operation``.

        :raises CallerUnknownError: if the caller's time is over
        :raises CallerNotAllowedError: if there is no grant
        """
        if self._expires_at is not None and now >= self._expires_at:
            raise CallerUnknownError(
                "The caller's time is over", got=self.name, expected=f"before {self._expires_at}"
            )
        if operation not in self._owners:
            raise CallerNotAllowedError(
                f"The caller has no grant for {operation!r}",
                got=f"caller {self.name}",
                next_command="xmtp-tee policy show",
            )
        return self._owners[operation]

    def require(self, operation: str, now: int, reserve: Reserve) -> Owners:
        """Return whose keys the caller may touch with ``operation``, and count the request.

        ``reserve``: asked for further requests of a caller that may make only so many; they are on
        disk before the first of them is answered.

        :raises RateLimitedError: if the caller is too fast
        :raises CallerLimitError: if the caller has made all its requests
        :raises XmtpTeeError: as :meth:`granted`
        """
        owners = self.granted(operation, now)
        if self._meter is not None and not self._meter.take(now):
            raise RateLimitedError(
                "The caller is too fast", got=self.name, expected=f"at most {self._meter}"
            )
        if self._most is not None:
            if self._left == 0:
                self._left = reserve(self.name, max(1, min(_BLOCK, self._most // 64)), self._most)
            if self._left == 0:
                raise CallerLimitError(
                    "The caller has made as many requests as it may",
                    got=self.name,
                    expected=f"at most {self._most}",
                )
            self._left -= 1
        return owners


class PolicyInForce:
    """The policy, made ready."""

    def __init__(self, policy: Policy) -> None:
        """``policy`` has been checked."""
        self.policy: Final = policy
        self.typed_data: Final[tuple[CompiledRule, ...]] = tuple(
            map(compile_rule, policy.wallet.typed_data)
        )
        self._uids = {c.uid: Access(c) for c in policy.callers if c.uid is not None}
        self._keys = {bytes.fromhex(c.key): Access(c) for c in policy.callers if c.key is not None}

    def access(self, peer: Peer) -> Access:
        """Return what ``peer`` may do.

        A peer that proved a key is the holder of that key and nothing else: its user id grants
        nothing beside.

        :raises CallerUnknownError: if the policy does not name it
        """
        if peer.key is not None:
            found = self._keys.get(peer.key)
        else:
            found = None if peer.uid is None else self._uids.get(peer.uid)
        if found is None:
            raise CallerUnknownError(
                "The policy names no such caller", got=peer, next_command="xmtp-tee policy show"
            )
        return found


def require_owner(owners: Owners, owner: bytes | None, caller: str) -> None:
    """Refuse unless the keys of ``owner`` may be touched. The enclave's own keys have no owner and
    are protected by their purposes alone.

    :raises CallerNotAllowedError: otherwise
    """
    if owners is not None and owner is not None and owner not in owners:
        raise CallerNotAllowedError(
            "The caller has no grant for this owner's keys",
            got=f"caller {caller}, owner {checksum_address(owner)}",
            next_command="xmtp-tee policy show",
        )


def _joined(one: Owners, other: Owners) -> Owners:
    return None if one is None or other is None else one | other
