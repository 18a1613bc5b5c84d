"""Short ways to ask an enclave in the test's own process, with scripted randomness."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tests.enclave.support import NOW, OWNER, FixedDriver, open_store
from xmtp_tee.enclave.callers import Peer
from xmtp_tee.enclave.service import Enclave
from xmtp_tee.policy import Policy, encode_policy
from xmtp_tee.policy.document import built_in
from xmtp_tee.wire import messages as wire

R = TypeVar("R", bound=wire.Message)
SELF = Peer(uid=os.geteuid())


class Scripted:
    """Randomness of which the next draws can be given."""

    def __init__(self) -> None:
        self._next: list[bytes] = []

    def then(self, *values: bytes) -> None:
        """Give these values to the next draws."""
        self._next += values

    def __call__(self, buffer: bytearray) -> None:
        if self._next:
            value = self._next.pop(0)
            assert len(value) == len(buffer)
            buffer[:] = value
        else:
            buffer[:] = os.urandom(len(buffer))


class Desk:
    """An enclave, asked at a clock that the test sets."""

    def __init__(self, path: Path, policy: Policy | None = None) -> None:
        self.path = path
        self.random = Scripted()
        self.driver = FixedDriver()
        self.now = NOW
        self.enclave = self._open()
        if policy is not None:
            self.apply(policy)

    def _open(self) -> Enclave:
        store = open_store(self.path, self.driver, self.random)
        return Enclave(store, self.driver, self.random)

    def restart(self) -> None:
        """Stop and start."""
        self.enclave.close()
        self.enclave = self._open()

    def close(self) -> None:
        self.enclave.close()

    def ask(
        self,
        operation: wire.Message,
        kind: type[R] = wire.Key,  # type: ignore[assignment]
        peer: Peer | None = None,
        idempotency_key: str | None = None,
    ) -> R:
        result = self.enclave.handle(operation, self.now, peer, idempotency_key)  # type: ignore[arg-type]
        assert isinstance(result, kind)
        return result

    def make(self, purpose: str, secret: bytes | None = None, **fields: Any) -> wire.Key:
        """Have a key made, with the given private half."""
        if secret is not None:
            self.random.then(secret)
        owner = None if purpose == "wallet" else OWNER
        return self.ask(wire.GenerateKey(**({"purpose": purpose, "owner": owner} | fields)))

    def identity(self, owner: bytes = OWNER) -> wire.Key:
        return self.ask(wire.GenerateIdentityKey(owner=owner))

    def apply(self, policy: Policy, signatures: tuple[bytes, ...] = ()) -> None:
        operation = wire.ApplyPolicy(document=encode_policy(policy), signatures=signatures)
        self.ask(operation, wire.PolicyInForce)

    @property
    def policy(self) -> Policy:
        return self.enclave._parts.policy.policy

    def change(self, **fields: Any) -> None:
        """Put the next policy in force, which differs in these fields."""
        replaced = msgspec.structs.replace(self.policy, version=self.policy.version + 1, **fields)
        self.apply(replaced)


def own_policy(version: int = 1, **fields: Any) -> Policy:
    """The built-in policy for this user, with other fields."""
    return msgspec.structs.replace(built_in((os.geteuid(),)), version=version, **fields)


def hkdf(ikm: bytes, salt: bytes, info: bytes, size: int) -> bytes:
    """HKDF-SHA256 by the text of RFC 5869, over nothing but HMAC."""
    key = hmac.digest(salt or bytes(32), ikm, hashlib.sha256)
    okm, block, counter = b"", b"", 1
    while len(okm) < size:
        block = hmac.digest(key, block + info + bytes([counter]), hashlib.sha256)
        okm, counter = okm + block, counter + 1
    return okm[:size]


def joined(*fields: bytes) -> bytes:
    """Fields with their 4-byte lengths in front."""
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


Ask = Callable[..., Any]
