"""The enclave process's memory after many epochs of an XMTP group: what has been used up is in it nowhere.

The secrets are known from two sides, neither of which the enclave helps: another member of the group shares the epochs'
secrets and the message keys, and a copy of the sealed store, opened with the test's seal root, shows the rest.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.enclave.member_support import Installation, Room, texts_of
from tests.enclave.support import NOW, FixedDriver
from tests.mls.test_memory import ROOT, writable_memory
from tests.xmtp.conversation_support import Side, User
from xmtp_tee.client.connection import EnclaveConnection
from xmtp_tee.enclave.member.key_packages import KeyPackages, decode_key_packages
from xmtp_tee.enclave.member.rooms import _group_name, _packages_name
from xmtp_tee.enclave.storage.sqlite import SqliteRows
from xmtp_tee.enclave.store import SealedStore
from xmtp_tee.mls.crypto import SignatureKey
from xmtp_tee.mls.epoch import Epoch
from xmtp_tee.mls.secret_tree import RatchetType, SecretTree
from xmtp_tee.wire import messages as wire
from xmtp_tee.xmtp.conversation import Conversation
from xmtp_tee.xmtp.identity_logs import IdentityLogs
from xmtp_tee.xmtp.outgoing_welcomes import seal_welcomes

DAY = 86_400
EPOCH_SECRETS = (
    *("init", "exporter", "external", "confirmation", "membership"),
    *("sender_data", "resumption"),
)
Notes = dict[bytes, str]
"""What a secret is, by the secret."""


@dataclass
class ScannedEnclave:
    """The process, and a way to ask it."""

    folder: Path
    process: subprocess.Popen[str]
    now: int = NOW
    connection: EnclaveConnection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = EnclaveConnection(self.folder / "enclave.sock", 30)

    def ask(self, operation: wire.Message, kind: type) -> object:
        result = self.connection.call(operation)  # type: ignore[arg-type]
        assert isinstance(result, kind), result
        return result

    def pass_days(self, days: int) -> None:
        self.now += days * DAY
        (self.folder / "clock").write_text(str(self.now))

    def opened(self, room: Room) -> tuple[Conversation, KeyPackages]:
        """What the store holds of the installation, from a copy, as only the enclave can open it."""
        copy = self.folder / "copy" / "keys.sqlite"
        copy.parent.mkdir(exist_ok=True)
        for suffix in ("", "-wal"):
            shutil.copy(self.folder / f"keys.sqlite{suffix}", f"{copy}{suffix}")
        store = SealedStore.open(SqliteRows.open(copy), FixedDriver())
        try:
            record = store.get(room.ours.key.id)
            assert record is not None
            with store.secret(record) as seed:
                key = SignatureKey(seed)
            group = store.document(_group_name(record, room.group_id))
            packages = store.document(_packages_name(record))
            assert group is not None
            assert packages is not None
            conversation = Conversation.restore(group, key, least_counter=0)
            return conversation, decode_key_packages(packages)
        finally:
            store.close()


@contextmanager
def scanned(folder: Path) -> Iterator[ScannedEnclave]:
    if not Path("/proc/self/mem").exists():
        pytest.skip("no /proc")
    (folder / "clock").write_text(str(NOW))
    command = [sys.executable, "-m", "tests.enclave.scanned_enclave", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            enclave = ScannedEnclave(folder, process)
            try:
                yield enclave
            finally:
                enclave.connection.close()
        finally:
            process.kill()


def secrets_of_tree(tree: SecretTree) -> Notes:
    found = dict.fromkeys(tree.nodes.values(), "secret of a tree")
    for ratchet in tree.ratchets.values():
        found[ratchet.secret] = "ratchet secret"
        for key, _ in ratchet.skipped.values():
            found[key] = "message key"
    return found


def secrets_of(conversation: Conversation, packages: KeyPackages) -> Notes:
    """All that lies in a state and is secret for a time."""
    member = conversation._group._member
    epochs = [member.epoch, *([member.pending.epoch] if member.pending else [])]
    found: Notes = {}
    for epoch in epochs:
        found |= {getattr(epoch.secrets, name): name for name in EPOCH_SECRETS}
        found |= {private: "private key of a node" for private, _ in epoch.keys.values()}
        found |= secrets_of_tree(epoch.secret_tree)
    for past in member.past:
        found |= {past.sender_data: "sender_data"} | secrets_of_tree(past.secret_tree)
    found |= dict.fromkeys(member.resumption.values(), "resumption")
    return found | secrets_of_packages(packages)


def secrets_of_packages(packages: KeyPackages) -> Notes:
    """The private keys of key packages."""
    found: Notes = {}
    for package in packages.packages:
        found[package.secrets.init_private] = "init key"
        found[package.secrets.encryption_private] = "private key of a key package"
        found[package.wrapper_private] = "wrapper key"
    return found


def shared_secrets(epoch: Epoch) -> Notes:
    """What every member of an epoch has."""
    return {getattr(epoch.secrets, name): name for name in EPOCH_SECRETS}


def message_key(reader: Side, sender: int, generation: int) -> Notes:
    """The key of a message that a member has not read yet."""
    tree = reader.room._group._member.epoch.secret_tree
    advance = tree.look_up(sender, RatchetType.APPLICATION, generation)
    found = {bytes(bytearray(advance.key[0])): "message key"}
    tree.discard(advance)
    return found


def copied(notes: Notes) -> Notes:
    """The secrets as objects of our own: those of a member are wiped in their time."""
    return {bytes(bytearray(secret)): kind for secret, kind in notes.items()}


def live(enclave: ScannedEnclave, epochs: int, *, welcomed: bool) -> tuple[Room, Notes]:
    """A group of three for so many epochs, the enclave's or one that it is welcomed to; return the room, and every
    secret that there was.
    """
    logs, notes = IdentityLogs(), Notes()
    room = Room(Installation(enclave, logs))
    users = User("peer", logs, NOW), User("third", logs, NOW)
    if welcomed:
        # The group that the room was made with stays, so nothing of it is to be gone.
        notes |= copied(secrets_of_packages(enclave.opened(room)[1]))
        peer = users[0].found()
        room.be_brought_in_by(peer)
        notes |= copied(shared_secrets(peer.room._group._member.epoch))
        room.ours.knows(users[1])
        adding = peer.change(add=[users[1]])
        [welcome] = seal_welcomes(peer.wins(adding).welcomes, 1, entropy=os.urandom)
        third = users[1].open(welcome.encode())
        room.process(room.incoming(adding))
    else:
        peer, third = room.bring_in(*users)
    leaf_of = {member.inbox_id: leaf for leaf, member in enumerate(peer.room.members)}
    for number in range(epochs):
        notes |= copied(shared_secrets(peer.room._group._member.epoch))
        notes |= copied(secrets_of(*enclave.opened(room)))
        said = [peer.say("a secret"), peer.say("another")]
        for generation, message in enumerate(said):
            notes |= message_key(third, leaf_of[peer.user.inbox_id], generation)
            third.read(message)
        answer = room.send("an answer")
        notes |= message_key(peer, leaf_of[room.ours.inbox_id], 0)
        peer.read(answer)
        third.read(answer)
        assert texts_of(room.process(room.incoming(*said, answer))) == ["a secret", "another"]
        match number % 3:
            case 0:
                commit = room.renew()
                notes |= copied(secrets_of(*enclave.opened(room)))
            case 1:
                commit = peer.renewed()
            case _:
                commit = third.renewed()
        [event] = room.process(room.incoming(commit))
        assert event.kind == "change"
        for other, own in ((peer, 1), (third, 2)):
            if number % 3 != own:
                other.read(commit)
        if number % 10 == 9:
            for _ in range(2):
                # A key package's keys outlive the next one by a day.
                enclave.pass_days(1)
                package = wire.XmtpNewKeyPackage(identity_key_id=room.ours.key.id)
                enclave.ask(package, wire.XmtpKeyPackage)
    return room, notes


def found_after(folder: Path, epochs: int, *, welcomed: bool) -> tuple[Counter[str], Counter[str]]:
    """(how many secrets of each kind were used up, how many of them are still in memory)."""
    with scanned(folder) as enclave:
        room, notes = live(enclave, epochs, welcomed=welcomed)
        alive = secrets_of(*enclave.opened(room))
        try:
            regions = writable_memory(enclave.process.pid)
        except PermissionError:
            pytest.skip("this system does not let a process read its child's memory")
    memory = b"\x00".join(regions)
    # The search does find what is still in use.
    assert any(secret in memory for secret, kind in alive.items() if kind == "exporter")
    gone = {secret: kind for secret, kind in notes.items() if secret not in alive}
    found = Counter(kind for secret, kind in gone.items() if secret in memory)
    return Counter(gone.values()), found


either_way = pytest.mark.parametrize(
    "welcomed", [False, True], ids=["in a group of its own", "in a group that it was welcomed to"]
)


@either_way
def test_no_used_secret_is_in_the_enclaves_memory_after_20_epochs(
    folder: Path, *, welcomed: bool
) -> None:
    gone, found = found_after(folder, 20, welcomed=welcomed)
    assert {"init", "exporter", "message key", "init key", "ratchet secret"} <= set(gone)
    assert found == {}, gone


@pytest.mark.proof
@pytest.mark.timeout(900)
@either_way
def test_no_used_secret_is_in_the_enclaves_memory_after_100_epochs(
    folder: Path, *, welcomed: bool
) -> None:
    gone, found = found_after(folder, 100, welcomed=welcomed)
    assert sum(gone.values()) > 1500
    assert found == {}, gone
