"""What a group can do when nobody breaks a rule."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from tests.mls.malice import commit_now, epoch_of, forge_proposal
from tests.mls.support import (
    LIFETIME,
    NOW,
    SUITES,
    Client,
    assert_agree,
    assert_group_goes_on,
    capabilities,
    deliver,
    group_of,
)
from xmtp_tee import mls
from xmtp_tee.mls import errors
from xmtp_tee.mls.extensions import ExtensionType, decode_app_data, find
from xmtp_tee.mls.suites import CipherSuite

every_suite = pytest.mark.parametrize("suite", SUITES, ids=lambda suite: f"suite {suite.id}")


@every_suite
def test_messages_go_both_ways(suite: CipherSuite) -> None:
    owner, second = group_of(["owner", "second"], suite)
    event = second.process(owner.send(b"hello", authenticated_data=b"beside", padding=100))
    assert isinstance(event, mls.ApplicationMessage)
    assert (event.data, event.authenticated_data) == (b"hello", b"beside")
    assert event.leaf.credential == owner.credential
    event = owner.process(second.send(b""))
    assert isinstance(event, mls.ApplicationMessage)
    assert event.data == b""
    assert_group_goes_on([owner, second])


@every_suite
def test_add_remove_update_in_turn(suite: CipherSuite) -> None:
    clients = group_of(["owner", "second", "third", "fourth", "fifth"], suite)
    owner, second, third, fourth, fifth = clients
    assert_group_goes_on(clients)
    made = second.commit(mls.CommitIntent(remove=(third.mine.own_leaf,)))
    events = deliver(made.commit, clients)
    assert [e.removed_us for e in events if isinstance(e, mls.CommitApplied)] == [
        client is third for client in clients
    ]
    assert third.mine.standing is mls.Standing.REMOVED
    rest = [owner, second, fourth, fifth]
    assert_group_goes_on(rest)
    # The free leaf is the first that is taken again.
    sixth = Client("sixth", suite)
    keys = sixth.package()
    made = fifth.commit(mls.CommitIntent(add=(keys.package,)))
    deliver(made.commit, rest)
    assert made.welcome is not None
    sixth.join(made.welcome, keys)
    assert sixth.mine.own_leaf == 2
    assert_group_goes_on([*rest, sixth])


def test_removed_member_is_out() -> None:
    owner, second, third = group_of(["owner", "second", "third"])
    late = owner.send(b"sent before")
    made = owner.commit(mls.CommitIntent(remove=(2,)))
    deliver(made.commit, [owner, second, third])
    assert third.mine.standing is mls.Standing.REMOVED
    event = third.process(late)
    assert isinstance(event, mls.ApplicationMessage)
    for refused in (
        lambda: third.send(b"x"),
        third.commit,
        lambda: third.propose(mls.Remove(0)),
        lambda: third.mine.export(b"label", b"", 32),
        third.mine.group_info,
        lambda: third.mine.resumption_psk(1),
    ):
        with pytest.raises(errors.GroupInactiveError):
            refused()
    with pytest.raises(mls.MlsError):
        third.process(owner.send(b"for those who stay"))
    assert_group_goes_on([owner, second])


def test_tree_shrinks_when_its_right_half_is_empty() -> None:
    clients = group_of([f"member {i}" for i in range(9)])
    assert epoch_of(clients[0]).tree.capacity == 16
    made = clients[0].commit(mls.CommitIntent(remove=(8,)))
    deliver(made.commit, clients)
    assert epoch_of(clients[0]).tree.capacity == 8
    made = clients[1].commit(mls.CommitIntent(remove=(7, 4, 5, 6)))
    deliver(made.commit, clients[:8])
    assert epoch_of(clients[0]).tree.capacity == 4
    assert_group_goes_on(clients[:4])


def test_exporter_is_the_same_for_all_and_new_in_every_epoch() -> None:
    clients = group_of(["owner", "second"])
    seen = set()
    for _ in range(3):
        exported = {client.mine.export(b"label", b"context", 40) for client in clients}
        assert len(exported) == 1
        seen |= exported
        assert clients[0].mine.export(b"other", b"context", 40) not in exported
        made = clients[0].commit()
        deliver(made.commit, clients)
    assert len(seen) == 3


# --- commits: pending, lost, confirmed ------------------------------------------------------------


def test_pending_commit_is_merged_when_it_comes_back() -> None:
    clients = group_of(["owner", "second"])
    owner, second = clients
    made = owner.commit(mls.CommitIntent(authenticated_data=b"beside"))
    assert owner.mine.epoch == 1
    assert owner.mine.pending_commit == made.commit
    assert made.epoch == 2
    with pytest.raises(errors.CommitPendingError):
        owner.commit()
    # Application data still go in the old epoch.
    assert isinstance(second.process(owner.send(b"meanwhile")), mls.ApplicationMessage)
    event = owner.process(made.commit)
    assert isinstance(event, mls.CommitApplied)
    assert event.own
    assert event.effect.authenticated_data == b"beside"
    second.process(made.commit)
    assert_group_goes_on(clients)


def test_commit_that_lost_is_returned_and_wins_the_second_time() -> None:
    clients = group_of(["owner", "second", "third"])
    owner, second, third = clients
    intent = mls.CommitIntent(remove=(2,))
    owner.commit(intent)
    winner = second.commit()
    events = deliver(winner.commit, clients)
    first = events[0]
    assert isinstance(first, mls.CommitApplied)
    assert first.lost == intent
    assert owner.mine.pending_commit is None
    assert_agree(clients)
    made = owner.commit(intent)
    deliver(made.commit, clients)
    assert third.mine.standing is mls.Standing.REMOVED
    assert_group_goes_on([owner, second])


def test_discarded_commit_leaves_no_trace() -> None:
    clients = group_of(["owner", "second"])
    owner = clients[0]
    intent = mls.CommitIntent()
    owner.commit(intent)
    assert owner.mine.discard() == intent
    assert owner.mine.discard() is None
    with pytest.raises(errors.NoCommitPendingError):
        owner.mine.confirm()
    assert_group_goes_on(clients)


def test_whoever_gives_up_reads_on_and_neither_sends_nor_commits() -> None:
    clients = group_of(["owner", "second"])
    owner, second = clients
    owner.commit()
    late = second.send(b"late")
    counter = owner.mine.counter
    owner.mine.give_up()
    assert owner.mine.counter > counter
    assert (owner.mine.standing, owner.mine.pending_commit) == (mls.Standing.LEFT_BEHIND, None)
    counter = owner.mine.counter
    owner.mine.give_up()
    assert owner.mine.counter == counter
    restored = mls.Group.restore(owner.mine.save(), owner.key, least_counter=counter)
    assert restored.standing is mls.Standing.LEFT_BEHIND
    assert isinstance(owner.process(late), mls.ApplicationMessage)
    with pytest.raises(errors.GroupInactiveError):
        owner.send(b"hello?")
    with pytest.raises(errors.GroupInactiveError):
        owner.commit()


def test_who_was_removed_cannot_give_up_any_more() -> None:
    owner, second = group_of(["owner", "second"])
    made = owner.commit(mls.CommitIntent(remove=(1,)))
    deliver(made.commit, [owner, second])
    second.mine.give_up()
    assert second.mine.standing is mls.Standing.REMOVED


def test_review_sees_the_effect_and_can_refuse_it() -> None:
    clients = group_of(["owner", "second", "third"])
    owner, second, third = clients
    newcomer = Client("newcomer")
    keys = newcomer.package()
    made = owner.commit(mls.CommitIntent(add=(keys.package,), remove=(2,)))
    seen: list[mls.CommitEffect] = []

    def refuse(effect: mls.CommitEffect) -> None:
        seen.append(effect)
        raise errors.CommitRefusedError("not today")

    for client in (second, third):
        with pytest.raises(errors.CommitRefusedError):
            client.process(made.commit, review=refuse)
        assert client.mine.epoch == 1
    effect = seen[0]
    assert effect.committer == 0
    assert [leaf.credential for _, leaf in effect.added] == [newcomer.credential]
    assert [(index, leaf.credential) for index, leaf in effect.removed] == [(2, third.credential)]
    assert [index for index, _, _ in effect.updated] == [0]
    second.process(made.commit, review=seen.append)
    owner.mine.confirm()
    assert seen[-1] == effect
    assert_group_goes_on([owner, second])


def test_commit_without_path_adds_only() -> None:
    clients = group_of(["owner", "second"])
    newcomer = Client("newcomer")
    keys = newcomer.package()
    made = clients[0].commit(mls.CommitIntent(add=(keys.package,), path=False))
    deliver(made.commit, clients)
    assert made.welcome is not None
    newcomer.join(made.welcome, keys)
    assert_group_goes_on([*clients, newcomer])


def test_tree_beside_the_welcome() -> None:
    clients = group_of(["owner", "second"])
    newcomer = Client("newcomer")
    keys = newcomer.package()
    made = clients[0].commit(mls.CommitIntent(add=(keys.package,), tree_in_welcome=False))
    deliver(made.commit, clients)
    assert made.welcome is not None
    with pytest.raises(errors.TreeMissingError):
        newcomer.join(made.welcome, keys)
    newcomer.join(made.welcome, keys, tree=clients[0].mine.tree)
    assert_group_goes_on([*clients, newcomer])


def test_key_package_of_last_resort_serves_twice() -> None:
    last_resort = (mls.Extension(ExtensionType.LAST_RESORT, b""),)
    newcomer = Client("newcomer", extensions=last_resort)
    keys = newcomer.package()
    assert keys.package.is_last_resort
    for _ in range(2):
        owner = Client("owner")
        owner.create(group_id=os.urandom(8))
        made = owner.commit(mls.CommitIntent(add=(keys.package,)))
        owner.mine.confirm()
        assert made.welcome is not None
        newcomer.join(made.welcome, keys)
        assert_group_goes_on([owner, newcomer])


def test_own_intent_that_breaks_a_rule_is_refused() -> None:
    clients = group_of(["owner", "second"])
    owner, second = clients
    expired = Client("expired", lifetime=mls.Lifetime(0, 1)).package().package
    for intent, error in (
        (mls.CommitIntent(remove=(0,)), errors.CommitterRemovedError),
        (mls.CommitIntent(remove=(7,)), errors.LeafIndexError),
        (mls.CommitIntent(add=(second.package().package,)), errors.ClientTwiceError),
        (mls.CommitIntent(add=(expired,)), errors.LifetimeError),
        (
            mls.CommitIntent(extensions=(mls.Extension(0xABCD, b""),)),
            errors.ExtensionUnsupportedError,
        ),
        (
            mls.CommitIntent(psks=(mls.ExternalPskId(b"?", bytes(32)),)),
            errors.PskUnknownError,
        ),
        (
            mls.CommitIntent(
                add=(Client("new").package().package,), path=False, leaf_extensions=()
            ),
            errors.IntentInvalidError,
        ),
    ):
        with pytest.raises(error):
            owner.commit(intent)
        assert owner.mine.pending_commit is None
    assert_group_goes_on(clients)


def test_creator_must_support_its_own_group() -> None:
    owner = Client("owner", caps=capabilities(extensions=()))
    with pytest.raises(errors.ExtensionUnsupportedError):
        owner.create(extensions=(mls.Extension(0xF000, b""),))


def test_key_package_of_another_signature_key_is_refused() -> None:
    owner, newcomer = Client("owner"), Client("newcomer")
    owner.create()
    keys = newcomer.package()
    made = owner.commit(mls.CommitIntent(add=(keys.package,)))
    assert made.welcome is not None
    with pytest.raises(errors.IntentInvalidError):
        Client("other").join(made.welcome, keys)


# --- proposals by reference -----------------------------------------------------------------------


def test_update_by_reference_renews_its_senders_keys() -> None:
    clients = group_of(["owner", "second", "third"])
    owner, second, third = clients
    before = epoch_of(third).tree.leaf(2).encryption_key
    message = third.mine.propose_update(
        entropy=third.entropy, now=NOW, leaf_extensions=(mls.Extension(0xF000, b"new"),)
    )
    deliver(message, [owner, second])
    made = owner.commit()
    events = deliver(made.commit, clients)
    assert isinstance(events[1], mls.CommitApplied)
    assert [index for index, _, _ in events[1].effect.updated] == [2, 0]
    after = epoch_of(third).tree.leaf(2)
    assert after.encryption_key != before
    assert find(after.extensions, 0xF000) == b"new"
    assert epoch_of(third).keys[4][1] == after.encryption_key
    assert_group_goes_on(clients)


def test_pending_proposals_are_committed_by_reference_but_for_conflicts() -> None:
    clients = group_of(["owner", "second", "third", "fourth", "fifth"])
    owner, second, third, fourth, fifth = clients

    def everybody_but(sender: Client) -> list[Client]:
        return [client for client in clients if client is not sender]

    newcomer = Client("newcomer")
    first_keys, second_keys = newcomer.package(), newcomer.package()
    for sender, proposal in (
        (second, mls.Remove(3)),
        (third, mls.Remove(3)),
        (third, mls.Add(first_keys.package)),
        (second, mls.Add(second_keys.package)),
        (fifth, mls.Remove(0)),
        (third, mls.GroupContextExtensions((mls.Extension(0xF000, b"1"),))),
        (second, mls.GroupContextExtensions((mls.Extension(0xF000, b"2"),))),
        (second, mls.ReInit(b"next", 1, 3, ())),
    ):
        deliver(sender.propose(proposal), everybody_but(sender))
    for sender in (fourth, fifth, fifth, owner):
        update = sender.mine.propose_update(entropy=sender.entropy, now=NOW)
        deliver(update, everybody_but(sender))
    assert len(owner.mine.pending_proposals) == 12
    with pytest.raises(errors.ProposalsPendingError):
        owner.send(b"not yet")
    made = owner.commit()
    events = deliver(made.commit, clients)
    effect = events[1].effect if isinstance(events[1], mls.CommitApplied) else None
    assert effect is not None
    assert [type(each.proposal).__name__ for each in effect.proposals] == [
        "Remove",
        "Add",
        "GroupContextExtensions",
        "Update",
    ]
    assert find(owner.mine.extensions, 0xF000) == b"1"
    assert made.welcome is not None
    newcomer.join(made.welcome, first_keys)
    assert fourth.mine.standing is mls.Standing.REMOVED
    assert_group_goes_on([owner, second, third, fifth, newcomer])


def test_proposals_that_cannot_be_committed_do_not_stop_us() -> None:
    """Valid in themselves, and not fitting the group: a malicious member may send as many as it
    likes.
    """
    clients = group_of(["owner", "mallory", "third"])
    owner, mallory, third = clients
    poor = Client("poor", caps=capabilities(extensions=(), suites=(1,))).package().package
    expired = Client("expired", lifetime=mls.Lifetime(0, 1)).package().package
    unsupported = mls.GroupContextExtensions((mls.Extension(0xABCD, b""),))
    unheld = mls.PreSharedKey(mls.ExternalPskId(b"unheld", bytes(32)))
    component = mls.AppDataUpdate(0x8000, b"x")
    for proposal in (mls.Add(poor), mls.Add(expired), unsupported, unheld, component):
        message, _ = forge_proposal(mallory, proposal)
        deliver(message, [owner, third])
    good, _ = forge_proposal(mallory, mls.Remove(2))
    deliver(good, [owner, third])
    made = owner.commit()
    for event in deliver(made.commit, [owner, third]):
        assert isinstance(event, mls.CommitApplied)
        assert [each.proposal for each in event.effect.proposals] == [mls.Remove(2)]
    assert third.mine.standing is mls.Standing.REMOVED


def test_requirement_that_only_a_removed_member_lacks() -> None:
    required = mls.RequiredCapabilities(extensions=(0xF000,)).extension()

    def make(name: str) -> Client:
        return Client(name, caps=capabilities(extensions=() if name == "poor" else (0xF000,)))

    clients = group_of(["owner", "second", "poor"], make=make)
    owner, second, poor = clients
    with pytest.raises(errors.CapabilityMissingError):
        owner.commit(mls.CommitIntent(extensions=(required,)))
    made = owner.commit(mls.CommitIntent(extensions=(required,), remove=(2,)))
    deliver(made.commit, clients)
    assert poor.mine.standing is mls.Standing.REMOVED
    # Without the requirement it may come back in the same commit that lifts it.
    returned = make("poor")
    keys = returned.package()
    with pytest.raises(errors.CapabilityMissingError):
        second.commit(mls.CommitIntent(add=(keys.package,)))
    made = second.commit(mls.CommitIntent(add=(keys.package,), extensions=()))
    deliver(made.commit, [owner, second])
    assert made.welcome is not None
    returned.join(made.welcome, keys)
    assert_group_goes_on([owner, second, returned])


def test_public_handshake() -> None:
    config = mls.Config(private_handshake=False)
    clients = group_of(["owner", "second"], make=lambda name: Client(name, config=config))
    owner, second = clients
    owner.process(second.propose(mls.GroupContextExtensions((mls.Extension(0xF000, b"x"),))))
    made = owner.commit()
    deliver(made.commit, clients)
    assert find(owner.mine.extensions, 0xF000) == b"x"
    assert_group_goes_on(clients)


# --- pre-shared keys ------------------------------------------------------------------------------


def test_external_psk_goes_into_the_epoch_and_the_welcome() -> None:
    clients = group_of(["owner", "second"])
    owner, second = clients
    store = mls.PskStore({b"shared": b"s" * 32})
    newcomer = Client("newcomer")
    keys = newcomer.package()
    nonce = mls.fresh_nonce(owner.entropy)
    intent = mls.CommitIntent(add=(keys.package,), psks=(mls.ExternalPskId(b"shared", nonce),))
    made = owner.commit(intent, psks=store)
    owner.process(made.commit)
    second.process(made.commit, psks=store)
    assert made.welcome is not None
    newcomer.join(made.welcome, keys, psks=store)
    assert "s" * 32 not in repr(store)
    assert_group_goes_on([*clients, newcomer])


def test_resumption_psk_of_the_own_past_is_at_hand() -> None:
    clients = group_of(["owner", "second"])
    for _ in range(2):
        commit_now(clients[0], mls.CommitIntent(), clients[1:])
    identifier = mls.ResumptionPskId(mls.PskUsage.APPLICATION, b"group", 2, bytes(32))
    commit_now(clients[1], mls.CommitIntent(psks=(identifier,)), clients[:1])
    assert clients[0].mine.resumption_psk(2) == clients[1].mine.resumption_psk(2)
    assert clients[0].mine.resumption_psk(99) is None
    assert_group_goes_on(clients)


def test_resumption_secrets_are_forgotten_in_their_time() -> None:
    config = mls.Config(max_resumption_epochs=2)
    clients = group_of(["owner", "second"], make=lambda name: Client(name, config=config))
    for _ in range(4):
        commit_now(clients[0], mls.CommitIntent(), clients[1:])
    assert sorted(clients[0].mine._member.resumption) == [3, 4]


# --- external commits -----------------------------------------------------------------------------


def join_externally(client: Client, info: bytes, **more: object) -> bytes:
    client.group, commit = mls.Group.join_externally(
        info,
        client.key,
        client.credential,
        client.caps,
        entropy=client.entropy,
        now=NOW,
        config=client.config,
        **more,  # type: ignore[arg-type]
    )
    return commit


@every_suite
def test_external_commit_brings_a_newcomer(suite: CipherSuite) -> None:
    clients = group_of(["owner", "second", "third"], suite)
    newcomer = Client("newcomer", suite)
    commit = join_externally(newcomer, clients[1].mine.group_info())
    for event in deliver(commit, clients):
        assert isinstance(event, mls.CommitApplied)
        assert event.effect.external
        assert [index for index, _ in event.effect.added] == [3]
    assert_group_goes_on([*clients, newcomer])


def test_external_commit_replaces_a_former_self() -> None:
    clients = group_of(["owner", "second", "third"])
    returned = Client("third")
    commit = join_externally(returned, clients[0].mine.group_info(), replaces=2)
    events = deliver(commit, clients[:2])
    assert isinstance(events[0], mls.CommitApplied)
    assert [index for index, _ in events[0].effect.removed] == [2]
    assert returned.mine.own_leaf == 2
    assert_group_goes_on([*clients[:2], returned])


def test_external_commit_with_a_psk_and_the_tree_beside() -> None:
    clients = group_of(["owner", "second"])
    store = mls.PskStore({b"shared": b"s" * 32})
    newcomer = Client("newcomer")
    commit = join_externally(
        newcomer,
        clients[0].mine.group_info(with_tree=False),
        tree=clients[0].mine.tree,
        psk_ids=(mls.ExternalPskId(b"shared", bytes(32)),),
        psks=store,
    )
    for client in clients:
        client.process(commit, psks=store)
    assert_group_goes_on([*clients, newcomer])


# --- application data -----------------------------------------------------------------------------

COUNTER = 0x8001


def count(old: bytes | None, update: bytes) -> bytes:
    """A component that adds numbers; negative totals are refused."""
    total = int.from_bytes(old or b"", "big") + int.from_bytes(update, "big", signed=True)
    if total < 0:
        raise errors.AppDataError("A total below zero", got=total)
    return total.to_bytes(4, "big")


def counting(name: str) -> Client:
    return Client(
        name,
        config=mls.Config(components={COUNTER: count}),
        caps=capabilities(extensions=(0x000A, 0x0006), proposals=(8,)),
    )


def test_application_data_are_updated_in_their_own_way() -> None:
    clients = group_of(["owner", "second"], make=counting)
    owner, second = clients
    for client, number in ((owner, b"\x05"), (second, b"\x07"), (owner, b"\xfe")):
        intent = mls.CommitIntent(app_data=(mls.AppDataUpdate(COUNTER, number),), path=False)
        deliver(client.commit(intent).commit, clients)
    data = find(second.mine.extensions, ExtensionType.APP_DATA_DICTIONARY)
    assert data is not None
    assert decode_app_data(data) == {COUNTER: b"\0\0\0\x0a"}
    with pytest.raises(errors.AppDataError, match="below zero"):
        owner.commit(mls.CommitIntent(app_data=(mls.AppDataUpdate(COUNTER, b"\x80"),)))
    deliver(
        owner.commit(mls.CommitIntent(app_data=(mls.AppDataUpdate(COUNTER, None),))).commit,
        clients,
    )
    data = find(second.mine.extensions, ExtensionType.APP_DATA_DICTIONARY)
    assert data is not None
    assert decode_app_data(data) == {}
    with pytest.raises(errors.AppDataError, match="without data"):
        owner.commit(mls.CommitIntent(app_data=(mls.AppDataUpdate(COUNTER, None),)))
    assert_group_goes_on(clients)


def test_application_data_where_a_member_does_not_support_them() -> None:
    def make(name: str) -> Client:
        client = counting(name)
        return replace(client, caps=capabilities(proposals=())) if name == "second" else client

    clients = group_of(["owner", "second"], make=make)
    with pytest.raises(errors.ProposalUnsupportedError):
        clients[0].commit(mls.CommitIntent(app_data=(mls.AppDataUpdate(COUNTER, b"\1"),)))


def test_application_data_change_by_their_own_proposal_only_where_that_is_required() -> None:
    from xmtp_tee.mls.extensions import encode_app_data

    clients = group_of(["owner", "second"], make=counting)
    required = mls.RequiredCapabilities(proposals=(8,)).extension()
    commit_now(clients[0], mls.CommitIntent(extensions=(required,)), clients[1:])
    dictionary = mls.Extension(
        ExtensionType.APP_DATA_DICTIONARY, encode_app_data({COUNTER: b"\0\0\0\1"})
    )
    with pytest.raises(errors.AppDataError, match="own proposal"):
        clients[0].commit(mls.CommitIntent(extensions=(required, dictionary)))
    assert_group_goes_on(clients)


def test_application_data_out_of_order_are_refused() -> None:
    for data in (b"\x08\0\2\0\0\1\0\0\1", b"\x06\0\1\0\0\1\0"):
        with pytest.raises(mls.MlsError):
            decode_app_data(data)


# --- successors (sections 11.2 and 11.3) ----------------------------------------------------------


def test_reinitialised_group_goes_on_in_its_successor() -> None:
    clients = group_of(["owner", "second"])
    owner, second = clients
    reinit = mls.ReInit(b"next", 1, 1, ())
    deliver(owner.commit(mls.CommitIntent(reinit=reinit)).commit, clients)
    for client in clients:
        assert client.mine.standing is mls.Standing.REINITIALISED
        with pytest.raises(errors.GroupInactiveError):
            client.send(b"too late")
    predecessor = second.mine.successor(mls.PskUsage.REINIT, reinit)
    old = second.mine.epoch
    store = mls.PskStore(resumption={(b"group", old): owner.mine.resumption_psk(old) or b""})
    again = [Client("owner", mls.SUITE_1), Client("second", mls.SUITE_1)]
    again[0].create(group_id=b"next")
    keys = again[1].package()
    identifier = mls.ResumptionPskId(mls.PskUsage.REINIT, b"group", old, bytes(32))
    made = again[0].mine.create_successor(
        (keys.package,), identifier, entropy=again[0].entropy, now=NOW, psks=store
    )
    again[0].mine.confirm()
    assert made.welcome is not None
    with pytest.raises(errors.PskUsageError):
        again[1].join(made.welcome, keys, psks=store)
    wrong = replace(predecessor, new_group_id=b"else")
    with pytest.raises(errors.WelcomeInvalidError):
        again[1].join(made.welcome, keys, psks=store, predecessor=wrong)
    again[1].join(made.welcome, keys, psks=store, predecessor=predecessor)
    assert_group_goes_on(again)


def test_branch_of_a_group() -> None:
    owner, second, _ = group_of(["owner", "second", "third"])
    predecessor = second.mine.successor(mls.PskUsage.BRANCH)
    epoch = owner.mine.epoch
    store = mls.PskStore(resumption={(b"group", epoch): owner.mine.resumption_psk(epoch) or b""})
    identifier = mls.ResumptionPskId(mls.PskUsage.BRANCH, b"group", epoch, bytes(32))
    branch, joiner = Client("owner"), Client("second")
    branch.create(group_id=b"branch")
    keys = joiner.package()
    application = replace(identifier, usage=mls.PskUsage.APPLICATION)
    for packages, psk in (((), identifier), ((keys.package,), application)):
        with pytest.raises(errors.IntentInvalidError):
            branch.mine.create_successor(packages, psk, entropy=branch.entropy, now=NOW, psks=store)
    made = branch.mine.create_successor(
        (keys.package,), identifier, entropy=branch.entropy, now=NOW, psks=store
    )
    branch.mine.confirm()
    assert made.welcome is not None
    for wrong in (
        replace(predecessor, epoch=epoch + 1),
        replace(predecessor, group_id=b"else"),
        replace(predecessor, usage=mls.PskUsage.REINIT),
    ):
        with pytest.raises(errors.PskUsageError):
            joiner.join(made.welcome, keys, psks=store, predecessor=wrong)
    joiner.join(made.welcome, keys, psks=store, predecessor=predecessor)
    assert_group_goes_on([branch, joiner])
    with pytest.raises(errors.IntentInvalidError):
        branch.mine.create_successor(
            (keys.package,), identifier, entropy=branch.entropy, now=NOW, psks=store
        )


def test_group_shaped_like_xmtps() -> None:
    """Capabilities, extensions and key packages with the numbers that libxmtp 1.x uses."""
    caps = mls.Capabilities(
        (1,),
        (3,),
        (0x000A, 0x0001, 0xFF02, 0xFF00, 0xFF01, 0xFF03, 0xFF04, 0xF000),
        (7,),
        (1,),
    )

    def make(name: str) -> Client:
        return Client(
            name,
            caps=caps,
            extensions=(
                mls.Extension(0x000A, b""),
                mls.Extension(0xFF04, bytes.fromhex("0a0103")),
                mls.Extension(0xFF03, b"w" * 1222),
            ),
            leaf_extensions=(mls.Extension(0x0001, name.encode()),),
        )

    metadata = tuple(mls.Extension(number, b"protobuf") for number in (0xFF00, 0xFF01, 0xFF02))
    clients = group_of(["owner", "second", "third"], make=make, extensions=metadata)
    renamed = (*metadata[:2], mls.Extension(0xFF02, b"another name"))
    deliver(clients[1].commit(mls.CommitIntent(extensions=renamed)).commit, clients)
    assert clients[2].mine.extensions == renamed
    assert find(clients[0].mine.members[2].extensions, 0x0001) == b"third"
    # A joiner's first act is to renew its keys.
    deliver(clients[2].commit().commit, clients)
    assert_group_goes_on(clients)


def test_lifetimes_are_those_of_the_clock_that_is_passed_in() -> None:
    owner = Client("owner")
    owner.create()
    package = Client("newcomer").package().package
    for now in (LIFETIME.not_before - 1, LIFETIME.not_after + 1):
        with pytest.raises(errors.LifetimeError):
            owner.mine.commit(mls.CommitIntent(add=(package,)), entropy=owner.entropy, now=now)
    for now in (LIFETIME.not_before, LIFETIME.not_after):
        owner.mine.commit(mls.CommitIntent(add=(package,)), entropy=owner.entropy, now=now)
        owner.mine.discard()


def test_reprs_hold_no_secret() -> None:
    owner, second = group_of(["owner", "second"])
    keys = second.package()
    member = owner.mine._member
    owner.commit()
    texts = [repr(each) for each in (owner.mine, member, member.epoch, member.pending, keys)]
    secrets = [
        member.epoch.secrets.init,
        member.epoch.secrets.exporter,
        keys.init_private,
        *(private for private, _ in member.epoch.keys.values()),
    ]
    for text in texts:
        for secret in secrets:
            assert repr(secret) not in text
            assert secret.hex() not in text
