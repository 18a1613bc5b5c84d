"""Live groups with ts-mls, where Node and the npm package are (`make peers`): suites 0x0001 and 0x0003."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.mls.support import SUITES, Client
from xmtp_tee import mls
from xmtp_tee.mls.suites import CipherSuite

HOME = Path(__file__).resolve().parents[1] / "ts_mls"
PEER = HOME / "peer.mjs"
NAMES = {
    1: "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519",
    3: "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519",
}
every_suite = pytest.mark.parametrize("suite", SUITES, ids=lambda suite: f"suite {suite.id}")


def package_folder() -> Path:
    folder = HOME / "node_modules" / "ts-mls"
    if shutil.which("node") is None:
        pytest.skip("no node")
    if not folder.is_dir():
        pytest.skip("ts-mls is not installed: make peers")
    return folder


class Theirs:
    """A member of ts-mls in a process of its own."""

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        self.name, self._process = name, process
        self.key_package = bytes.fromhex(self._ask("package", name=name))

    def _ask(self, what: str, **arguments: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": what, **arguments}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert "ok" in answer, answer
        return answer["ok"]

    def create(self) -> None:
        self._ask("create", group=b"group".hex())

    def join(self, welcome: bytes) -> None:
        self._ask("join", welcome=welcome.hex())

    def commit(self, add: list[bytes] = [], remove: list[int] = []) -> tuple[bytes, bytes | None]:  # noqa: B006 -- read only
        made = self._ask("commit", add=[each.hex() for each in add], remove=remove)
        welcome = made.get("welcome")
        return bytes.fromhex(made["commit"]), bytes.fromhex(welcome) if welcome else None

    def send(self, data: bytes) -> bytes:
        return bytes.fromhex(self._ask("send", data=data.hex()))

    def process(self, message: bytes) -> bytes | None:
        data = self._ask("process", message=message.hex())
        return None if data is None else bytes.fromhex(data)

    def authenticator(self) -> bytes:
        return bytes.fromhex(self._ask("authenticator"))


@contextmanager
def theirs(name: str, suite: CipherSuite) -> Iterator[Theirs]:
    with subprocess.Popen(
        ["node", str(PEER), str(package_folder()), NAMES[suite.id]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Theirs(name, process)
        finally:
            process.kill()


def now() -> int:
    """The clock of ts-mls, a little later than its newest key package."""
    return int(time.time()) + 1


class Ours(Client):
    """Our member, on the real clock."""

    def process(self, message: bytes, **more: Any) -> mls.Event:
        return self.mine.process(message, now=now())


def ours(name: str, suite: CipherSuite) -> Ours:
    return Ours(name, suite, lifetime=mls.Lifetime(now() - 3600, now() + 86400 * 30))


def commit_now(client: Client, intent: mls.CommitIntent, *peers: Any) -> mls.CommitMessages:
    """Our commit, on the real clock, processed by everybody."""
    made = client.mine.commit(intent, entropy=client.entropy, now=now())
    client.mine.confirm()
    for peer in peers:
        peer.process(made.commit)
    return made


def hear_each_other(client: Client, peer: Theirs) -> None:
    assert client.mine.epoch_authenticator == peer.authenticator()
    for i in range(3):
        data = b"%d" % i
        assert peer.process(client.send(data)) == data
        event = client.process(peer.send(data))
        assert isinstance(event, mls.ApplicationMessage)
        assert event.data == data


@every_suite
def test_we_add_them_and_both_commit(suite: CipherSuite) -> None:
    owner, second = ours("owner", suite), ours("second", suite)
    with theirs("peer", suite) as peer:
        owner.create()
        package = mls.decode_key_package(peer.key_package)
        made = commit_now(owner, mls.CommitIntent(add=(package,)))
        assert made.welcome is not None
        peer.join(made.welcome)
        hear_each_other(owner, peer)
        for _ in range(2):
            commit_now(owner, mls.CommitIntent(), peer)
            hear_each_other(owner, peer)
            commit, _ = peer.commit()
            assert isinstance(owner.process(commit), mls.CommitApplied)
            hear_each_other(owner, peer)
        # They add one of ours, we remove it again.
        keys = second.package()
        commit, welcome = peer.commit(add=[mls.encode_message(keys.package)])
        owner.process(commit)
        assert welcome is not None
        second.join(welcome, keys)
        hear_each_other(owner, peer)
        commit_now(owner, mls.CommitIntent(remove=(second.mine.own_leaf,)), peer, second)
        assert second.mine.standing is mls.Standing.REMOVED
        hear_each_other(owner, peer)


@every_suite
def test_they_add_us_and_remove_us(suite: CipherSuite) -> None:
    client = ours("ours", suite)
    with theirs("owner", suite) as owner:
        owner.create()
        keys = client.package()
        _, welcome = owner.commit(add=[mls.encode_message(keys.package)])
        assert welcome is not None
        client.join(welcome, keys)
        hear_each_other(client, owner)
        commit_now(client, mls.CommitIntent(), owner)
        hear_each_other(client, owner)
        commit, _ = owner.commit(remove=[client.mine.own_leaf])
        event = client.process(commit)
        assert isinstance(event, mls.CommitApplied)
        assert event.removed_us
