"""Random groups: add, remove, update, commit and message, with loss, reordering and restarts."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.mls.support import NOW, Client, assert_agree
from xmtp_tee import mls
from xmtp_tee.mls import errors


class GroupMachine(RuleBasedStateMachine):
    """Members in lockstep over an ordered log of commits, as XMTP's node keeps one; application
    messages are lost, repeated and delivered in any order, also after later commits.
    """

    def __init__(self) -> None:
        super().__init__()
        self.names = 0
        owner = self._client()
        owner.create()
        self.inside: list[Client] = [owner]
        self.outside: list[Client] = []
        self.in_flight: list[tuple[str, bytes, bytes, set[str]]] = []
        """(sender, data, message, those who may read it and have not)."""
        self.read: list[tuple[Client, bytes]] = []

    def _client(self) -> Client:
        self.names += 1
        return Client(f"member {self.names}")

    def _pick(self, number: int) -> Client:
        return self.inside[number % len(self.inside)]

    def _commit(self, committer: Client, intent: mls.CommitIntent) -> mls.CommitMessages:
        made = committer.commit(intent)
        for client in list(self.inside):
            event = client.process(made.commit)
            assert isinstance(event, mls.CommitApplied)
            if event.removed_us:
                self.inside.remove(client)
                self.outside.append(client)
        return made

    @precondition(lambda self: len(self.inside) < 12)
    @rule(number=st.integers(0, 99), count=st.integers(1, 3), path=st.booleans())
    def add(self, number: int, count: int, path: bool) -> None:
        newcomers = [self._client() for _ in range(count)]
        keys = [client.package() for client in newcomers]
        intent = mls.CommitIntent(add=tuple(each.package for each in keys), path=path)
        made = self._commit(self._pick(number), intent)
        assert made.welcome is not None
        for client, each in zip(newcomers, keys, strict=True):
            client.join(made.welcome, each)
        self.inside += newcomers

    @precondition(lambda self: len(self.inside) > 1)
    @rule(number=st.integers(0, 99), other=st.integers(0, 99))
    def remove(self, number: int, other: int) -> None:
        committer, removed = self._pick(number), self._pick(other)
        if committer is not removed:
            self._commit(committer, mls.CommitIntent(remove=(removed.mine.own_leaf,)))
            assert removed.mine.standing is mls.Standing.REMOVED

    @rule(number=st.integers(0, 99))
    def renew(self, number: int) -> None:
        self._commit(self._pick(number), mls.CommitIntent())

    @precondition(lambda self: len(self.inside) > 1)
    @rule(number=st.integers(0, 99), other=st.integers(0, 99))
    def update_by_reference(self, number: int, other: int) -> None:
        updater, committer = self._pick(number), self._pick(other)
        message = updater.mine.propose_update(entropy=updater.entropy, now=NOW)
        for client in self.inside:
            if client is not updater:
                client.process(message)
        self._commit(committer, mls.CommitIntent())
        for client in self.inside:
            assert client.mine.pending_proposals == ()

    @precondition(lambda self: len(self.inside) > 1)
    @rule(number=st.integers(0, 99), other=st.integers(0, 99))
    def race(self, number: int, other: int) -> None:
        """Two commit in one epoch: the first in the log wins, the other one tries again."""
        loser, winner = self._pick(number), self._pick(other)
        if loser is winner:
            return
        intent = mls.CommitIntent(authenticated_data=b"again")
        loser.commit(intent)
        message = winner.commit().commit
        for client in self.inside:
            event = client.process(message)
            assert isinstance(event, mls.CommitApplied)
            assert event.lost == (intent if client is loser else None)
        self._commit(loser, intent)

    @rule(number=st.integers(0, 99))
    def join_externally(self, number: int) -> None:
        if len(self.inside) >= 12:
            return
        newcomer = self._client()
        newcomer.group, commit = mls.Group.join_externally(
            self._pick(number).mine.group_info(),
            newcomer.key,
            newcomer.credential,
            newcomer.caps,
            entropy=newcomer.entropy,
            now=NOW,
        )
        for client in self.inside:
            client.process(commit)
        self.inside.append(newcomer)

    @rule(number=st.integers(0, 99), padding=st.integers(0, 70))
    def send(self, number: int, padding: int) -> None:
        sender = self._pick(number)
        data = f"{sender.name} {len(self.in_flight)} {len(self.read)}".encode()
        message = sender.send(data, padding=padding)
        readers = {client.name for client in self.inside if client is not sender}
        self.in_flight.append((sender.name, data, message, readers))

    @precondition(lambda self: self.in_flight)
    @rule(which=st.integers(0, 99), who=st.integers(0, 99))
    def receive(self, which: int, who: int) -> None:
        reader = self._pick(who)
        _, data, message, readers = self.in_flight[which % len(self.in_flight)]
        age = reader.mine.epoch - int.from_bytes(message[10:18], "big")
        if reader.name in readers and age <= reader.config.max_past_epochs:
            event = reader.process(message)
            assert isinstance(event, mls.ApplicationMessage)
            assert event.data == data
            readers.discard(reader.name)
            self.read.append((reader, message))
        else:
            with pytest.raises(mls.MlsError):
                reader.process(message)

    @precondition(lambda self: self.read)
    @rule(which=st.integers(0, 99))
    def replay(self, which: int) -> None:
        reader, message = self.read[which % len(self.read)]
        if reader in self.inside:
            with pytest.raises((errors.MessageReplayedError, errors.WrongEpochError)):
                reader.process(message)

    @precondition(lambda self: self.outside)
    @rule(which=st.integers(0, 99), number=st.integers(0, 99))
    def removed_member_tries(self, which: int, number: int) -> None:
        outsider = self.outside[which % len(self.outside)]
        with pytest.raises(errors.GroupInactiveError):
            outsider.send(b"let me in")
        message = self._pick(number).send(b"not for you")
        with pytest.raises(mls.MlsError):
            outsider.process(message)

    @rule(number=st.integers(0, 99))
    def restart(self, number: int) -> None:
        client = self._pick(number)
        client.group = mls.Group.restore(
            client.mine.save(), client.key, least_counter=client.mine.counter
        )

    @invariant()
    def all_agree(self) -> None:
        assert_agree(self.inside)


TestGroups = GroupMachine.TestCase
TestGroups.settings = settings(max_examples=5, stateful_step_count=15)


@pytest.mark.proof
@pytest.mark.timeout(3600)
class TestManyGroups(GroupMachine.TestCase):
    settings = settings(max_examples=300, stateful_step_count=60)
