"""What the MLS tests share: vectors, members by role, and a small network between them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xmtp_tee import mls
from xmtp_tee.mls.suites import CipherSuite

Vector = dict[str, Any]
unhex = bytes.fromhex
SUITES = (mls.SUITE_1, mls.SUITE_3)
NOW = 1_800_000_000
LIFETIME = mls.Lifetime(NOW - 3600, NOW + 84 * 86400)


def load(folder: Path, name: str) -> list[Vector]:
    """All vectors of a file below ``mls``."""
    found: list[Vector] = json.loads((folder / "mls" / f"{name}.json").read_text("utf-8"))
    return found


def of_our_suites(vectors: Sequence[Vector]) -> list[Vector]:
    """The vectors of suites 1 and 3."""
    return [vector for vector in vectors if vector["cipher_suite"] in (1, 3)]


class Entropy:
    """A deterministic source, so that a failure can be repeated."""

    def __init__(self, seed: str) -> None:
        self._seed, self._drawn = seed, 0

    def __call__(self, count: int) -> bytes:
        self._drawn += 1
        return hashlib.shake_256(f"{self._seed}/{self._drawn}".encode()).digest(count)


def capabilities(
    extensions: Sequence[int] = (0x000A, 0xF000),
    proposals: Sequence[int] = (7, 8),
    credentials: Sequence[int] = (1,),
    suites: Sequence[int] = (1, 3),
) -> mls.Capabilities:
    return mls.Capabilities(
        (1,), tuple(suites), tuple(extensions), tuple(proposals), tuple(credentials)
    )


@dataclass
class Client:
    """Somebody with a signature key, who can be in a group."""

    name: str
    suite: CipherSuite = mls.SUITE_3
    config: mls.Config = field(default_factory=mls.Config)
    caps: mls.Capabilities = field(default_factory=capabilities)
    extensions: mls.Extensions = ()
    leaf_extensions: mls.Extensions = ()
    lifetime: mls.Lifetime = LIFETIME
    group: mls.Group | None = None

    def __post_init__(self) -> None:
        self.entropy = Entropy(self.name)
        self.key = mls.SignatureKey(hashlib.sha256(self.name.encode()).digest())
        self.credential = mls.BasicCredential(self.name.encode())

    @property
    def mine(self) -> mls.Group:
        assert self.group is not None
        return self.group

    def package(self) -> mls.KeyPackageSecrets:
        return mls.generate_key_package(
            self.suite,
            self.key,
            self.credential,
            self.caps,
            self.lifetime,
            entropy=self.entropy,
            extensions=self.extensions,
            leaf_extensions=self.leaf_extensions,
        )

    def create(self, extensions: mls.Extensions = (), group_id: bytes = b"group") -> mls.Group:
        self.group = mls.Group.create(
            self.suite,
            group_id,
            self.key,
            self.credential,
            self.caps,
            self.lifetime,
            entropy=self.entropy,
            config=self.config,
            extensions=extensions,
            leaf_extensions=self.leaf_extensions,
        )
        return self.group

    def join(self, welcome: bytes, keys: mls.KeyPackageSecrets, **more: Any) -> mls.Group:
        self.group = mls.Group.join(welcome, keys, self.key, now=NOW, config=self.config, **more)
        return self.group

    def commit(self, intent: mls.CommitIntent | None = None, **more: Any) -> mls.CommitMessages:
        return self.mine.commit(intent or mls.CommitIntent(), entropy=self.entropy, now=NOW, **more)

    def send(self, data: bytes, **more: Any) -> bytes:
        return self.mine.send(data, entropy=self.entropy, **more)

    def process(self, message: bytes, **more: Any) -> mls.Event:
        return self.mine.process(message, now=NOW, **more)

    def propose(self, proposal: mls.Proposal, **more: Any) -> bytes:
        return self.mine.propose(proposal, entropy=self.entropy, now=NOW, **more)


def deliver(message: bytes, receivers: Sequence[Client]) -> list[mls.Event]:
    """Give a message to everybody."""
    return [receiver.process(message) for receiver in receivers]


def group_of(
    names: Sequence[str],
    suite: CipherSuite = mls.SUITE_3,
    extensions: mls.Extensions = (),
    make: Callable[[str], Client] | None = None,
) -> list[Client]:
    """A group of clients in which the first one has added the others, all in the same epoch."""
    clients = [make(name) if make else Client(name, suite) for name in names]
    first, *others = clients
    first.create(extensions)
    if not others:
        return clients
    packages = [client.package() for client in others]
    messages = first.commit(mls.CommitIntent(add=tuple(each.package for each in packages)))
    first.mine.confirm()
    assert messages.welcome is not None
    for client, keys in zip(others, packages, strict=True):
        client.join(messages.welcome, keys)
    assert_agree(clients)
    return clients


def assert_agree(clients: Sequence[Client]) -> None:
    """All are in the same epoch with the same secrets and the same tree."""
    assert len({client.mine.epoch for client in clients}) == 1
    assert len({client.mine.epoch_authenticator for client in clients}) == 1
    assert len({client.mine.tree for client in clients}) == 1


def assert_group_goes_on(clients: Sequence[Client]) -> None:
    """Everybody is heard by everybody, before and after each of them commits."""
    assert_agree(clients)
    for client in clients:
        others = [other for other in clients if other is not client]
        data = f"from {client.name} in {client.mine.epoch}".encode()
        for event in deliver(client.send(data), others):
            assert isinstance(event, mls.ApplicationMessage)
            assert event.data == data
            assert event.sender == client.mine.own_leaf
    committer = clients[-1]
    messages = committer.commit()
    deliver(messages.commit, clients)
    assert_agree(clients)
