"""Live groups with mls-rs (AWS), through its wheel: suite 0x0001, both directions."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.mls.support import Client, capabilities
from xmtp_tee import mls

rs = pytest.importorskip("mls_rs_uniffi", reason="agentvault-mls-rs-uniffi is not installed")


def now() -> int:
    """The clock that mls-rs reads too."""
    return int(time.time())


class Ours(Client):
    """Our member, on the real clock."""

    def __init__(self, name: str, *, private: bool = True) -> None:
        super().__init__(
            name,
            mls.SUITE_1,
            mls.Config(private_handshake=private),
            caps=capabilities(extensions=(), proposals=()),
            lifetime=mls.Lifetime(now() - 3600, now() + 84 * 86400),
        )

    def commit(self, intent: mls.CommitIntent | None = None, **more: Any) -> mls.CommitMessages:
        return self.mine.commit(intent or mls.CommitIntent(), entropy=self.entropy, now=now())

    def process(self, message: bytes, **more: Any) -> mls.Event:
        return self.mine.process(message, now=now())

    def join(self, welcome: bytes, keys: mls.KeyPackageSecrets, **more: Any) -> mls.Group:
        self.group = mls.Group.join(welcome, keys, self.key, now=now(), config=self.config)
        return self.group

    def read(self, message: bytes) -> bytes:
        event = self.process(message)
        assert isinstance(event, mls.ApplicationMessage)
        return event.data


class Theirs:
    """A member of mls-rs, with the same face."""

    def __init__(self, name: str) -> None:
        self.name = name
        keys = rs.generate_signature_keypair(rs.CipherSuite.CURVE25519_AES128)
        self.client = rs.Client(name.encode(), keys, rs.client_config_default())
        self.group: Any = None

    def package(self) -> Any:
        return self.client.generate_key_package_message()

    def create(self) -> None:
        self.group = self.client.create_group(b"group")

    def join(self, welcome: bytes) -> None:
        self.group = self.client.join_group(None, rs.Message.from_bytes(welcome)).group

    def process(self, message: bytes) -> Any:
        return self.group.process_incoming_message(rs.Message.from_bytes(message))

    def send(self, data: bytes) -> bytes:
        return bytes(self.group.encrypt_application_message(data).to_bytes())

    def read(self, message: bytes) -> bytes:
        event = self.process(message)
        assert isinstance(event, rs.ReceivedMessage.APPLICATION_MESSAGE)
        return bytes(event.data)

    def export(self) -> bytes:
        return bytes(self.group.export_secret(b"label", b"context", 32))


def everybody_hears_everybody(members: list[Any]) -> None:
    exported = {
        m.export() if isinstance(m, Theirs) else m.mine.export(b"label", b"context", 32)
        for m in members
    }
    assert len(exported) == 1
    for sender in members:
        for round_ in range(2):
            data = f"{sender.name} {round_}".encode()
            message = sender.send(data)
            for receiver in members:
                if receiver is not sender:
                    assert receiver.read(message) == data


def ours_joins(group: list[Any], adder: Theirs, joiner: Ours) -> None:
    keys = joiner.package()
    package = rs.Message.from_bytes(mls.encode_message(keys.package))
    made = adder.group.add_members([package])
    commit = bytes(made.commit_message.to_bytes())
    for member in group:
        member.process(commit)
    joiner.join(bytes(made.welcome_message.to_bytes()), keys)
    group.append(joiner)


def theirs_joins(group: list[Any], adder: Ours, joiner: Theirs) -> None:
    package = mls.decode_key_package(bytes(joiner.package().to_bytes()))
    made = adder.commit(mls.CommitIntent(add=(package,)))
    for member in group:
        member.process(made.commit)
    assert made.welcome is not None
    joiner.join(made.welcome)
    group.append(joiner)


def commit_by(group: list[Any], committer: Any) -> None:
    if isinstance(committer, Theirs):
        message = bytes(committer.group.commit().commit_message.to_bytes())
    else:
        message = committer.commit().commit
    for member in group:
        member.process(message)


@pytest.mark.parametrize("private", [True, False], ids=["private", "public"])
def test_we_are_added_and_commit(private: bool) -> None:
    owner = Theirs("owner")
    owner.create()
    group: list[Any] = [owner]
    for i in range(5):
        ours_joins(group, owner, Ours(f"ours {i}", private=private))
        everybody_hears_everybody(group)
    for member in group:
        commit_by(group, member)
        everybody_hears_everybody(group)


@pytest.mark.parametrize("private", [True, False], ids=["private", "public"])
def test_we_add_them_and_they_commit(private: bool) -> None:
    owner = Ours("owner", private=private)
    owner.create()
    group: list[Any] = [owner]
    for i in range(5):
        theirs_joins(group, owner, Theirs(f"theirs {i}"))
        everybody_hears_everybody(group)
    for member in group:
        commit_by(group, member)
        everybody_hears_everybody(group)


def test_mixed_group_adds_and_removes_in_turn() -> None:
    owner = Ours("owner")
    owner.create()
    group: list[Any] = [owner]
    theirs = Theirs("theirs")
    theirs_joins(group, owner, theirs)
    for i in range(6):
        ours_joins(group, theirs, Ours(f"ours {i}"))
        theirs_joins(group, group[-1], Theirs(f"theirs {i}"))
        commit_by(group, group[i])
    everybody_hears_everybody(group)
    # We remove one of theirs, they remove one of ours.
    leaves = {
        leaf.credential.identity: index
        for index, leaf in owner.mine.members.items()
        if isinstance(leaf.credential, mls.BasicCredential)
    }
    made = owner.commit(mls.CommitIntent(remove=(leaves[b"theirs 2"],)))
    for member in group:
        member.process(made.commit)
    group = [member for member in group if member.name != "theirs 2"]
    everybody_hears_everybody(group)
    gone = next(member for member in group if member.name == "ours 3")
    identity = theirs.process(gone.send(b"about to go")).sender
    commit = bytes(theirs.group.remove_members([identity]).commit_message.to_bytes())
    for member in group:
        member.process(commit)
    assert gone.mine.standing is mls.Standing.REMOVED
    group.remove(gone)
    everybody_hears_everybody(group)
    for member in list(group):
        commit_by(group, member)
    everybody_hears_everybody(group)


def test_messages_out_of_order_both_ways() -> None:
    owner, theirs = Ours("owner"), Theirs("theirs")
    owner.create()
    group: list[Any] = [owner]
    theirs_joins(group, owner, theirs)
    sent = [(b"%d" % i, owner.send(b"%d" % i)) for i in range(30)]
    for data, message in reversed(sent):
        assert theirs.read(message) == data
    sent = [(b"%d" % i, theirs.send(b"%d" % i)) for i in range(30)]
    for data, message in sent[1::2] + sent[::2]:
        assert owner.read(message) == data


def test_proposals_of_theirs_are_committed_by_us() -> None:
    owner, theirs = Ours("owner"), Theirs("theirs")
    owner.create()
    group: list[Any] = [owner]
    theirs_joins(group, owner, theirs)
    newcomer = Theirs("newcomer")
    (proposal,) = theirs.group.propose_add_members([newcomer.package()])
    event = owner.process(bytes(proposal.to_bytes()))
    assert isinstance(event, mls.ProposalReceived)
    made = owner.commit()
    for member in group:
        member.process(made.commit)
    assert made.welcome is not None
    newcomer.join(made.welcome)
    everybody_hears_everybody([*group, newcomer])
