"""Saving, restoring, refusing what is old; and that keys which have been used are gone."""

from __future__ import annotations

import pytest

from tests.mls.malice import commit_now, epoch_of, five, forge_proposal
from tests.mls.support import NOW, Client, assert_group_goes_on, group_of
from xmtp_tee import mls
from xmtp_tee.mls import errors
from xmtp_tee.mls.crypto import derive_secret
from xmtp_tee.mls.secret_tree import RatchetType
from xmtp_tee.mls.wiping import wipe


def reborn(client: Client) -> None:
    """The client forgets everything but its saved state."""
    state = client.mine.save()
    client.group = mls.Group.restore(
        state, client.key, least_counter=client.mine.counter, config=client.config
    )
    assert client.mine.save() == state


def test_restored_members_go_on() -> None:
    clients = five()()
    held = clients[0].send(b"held back")
    later = clients[0].send(b"later")
    for client in clients[1:]:
        client.process(later)
    for client in clients:
        reborn(client)
    for client in clients[1:]:
        event = client.process(held)
        assert isinstance(event, mls.ApplicationMessage)
        assert event.data == b"held back"
    assert_group_goes_on(clients)
    for client in clients:
        reborn(client)
    assert_group_goes_on(clients)


def test_restored_member_reads_a_past_epoch() -> None:
    clients = group_of(["owner", "second"])
    late = clients[0].send(b"late")
    commit_now(clients[0], mls.CommitIntent(), clients[1:])
    reborn(clients[1])
    event = clients[1].process(late)
    assert isinstance(event, mls.ApplicationMessage)
    assert event.epoch == 1


@pytest.mark.parametrize(
    "intent",
    [
        mls.CommitIntent(),
        mls.CommitIntent(remove=(2,), authenticated_data=b"beside"),
        mls.CommitIntent(extensions=(mls.Extension(0xF000, b"x"),), leaf_extensions=()),
        mls.CommitIntent(reinit=mls.ReInit(b"next", 1, 3, ())),
    ],
    ids=["keys", "remove", "extensions", "reinit"],
)
def test_restored_member_keeps_its_pending_commit(intent: mls.CommitIntent) -> None:
    clients = group_of(["owner", "second", "third"])
    owner, second, _ = clients
    made = owner.commit(intent)
    before = owner.mine._member.pending
    reborn(owner)
    after = owner.mine._member.pending
    assert before is not None
    assert after is not None
    assert (after.intent, after.effect, after.commit) == (before.intent, before.effect, made.commit)
    event = owner.process(made.commit)
    assert isinstance(event, mls.CommitApplied)
    assert event.own
    second.process(made.commit)
    assert owner.mine.epoch_authenticator == second.mine.epoch_authenticator


def test_restored_member_keeps_its_lost_intent() -> None:
    clients = group_of(["owner", "second", "third"])
    owner, second, _ = clients
    newcomer = Client("newcomer").package().package
    psk = mls.ExternalPskId(b"shared", bytes(32))
    intent = mls.CommitIntent(
        add=(newcomer,), remove=(2,), psks=(psk,), path=True, with_pending=False
    )
    owner.commit(intent, psks=mls.PskStore({b"shared": bytes(32)}))
    reborn(owner)
    event = owner.process(second.commit().commit)
    assert isinstance(event, mls.CommitApplied)
    assert event.lost == intent


def test_restored_member_keeps_proposals_and_the_keys_of_its_update() -> None:
    clients = group_of(["owner", "second", "third"])
    owner, second, third = clients
    update = third.mine.propose_update(entropy=third.entropy, now=NOW)
    remove, _ = forge_proposal(second, mls.Remove(1))
    for client in (owner, second):
        client.process(update)
    owner.process(remove)
    third.process(remove)
    for client in clients:
        reborn(client)
    second.mine._member.proposals.clear()
    made = owner.commit(mls.CommitIntent())
    events = [client.process(made.commit) for client in (owner, third)]
    assert all(isinstance(event, mls.CommitApplied) for event in events)
    assert_group_goes_on([owner, third])


def test_removed_member_stays_removed() -> None:
    clients = group_of(["owner", "second"])
    commit_now(clients[0], mls.CommitIntent(remove=(1,)), clients[1:])
    reborn(clients[1])
    with pytest.raises(errors.GroupInactiveError):
        clients[1].send(b"x")


# --- rollback -------------------------------------------------------------------------------------


def test_counter_grows_with_every_change_and_not_with_looking() -> None:
    owner, second = group_of(["owner", "second"])
    seen = [owner.mine.counter]

    def grew() -> None:
        assert owner.mine.counter > seen[-1]
        seen.append(owner.mine.counter)

    message = second.send(b"x")
    owner.send(b"x")
    grew()
    owner.process(message)
    grew()
    owner.process(forge_proposal(second, mls.Remove(0))[0])
    grew()
    owner.mine._member.proposals.clear()
    owner.commit()
    grew()
    owner.mine.discard()
    grew()
    owner.commit()
    grew()
    owner.mine.confirm()
    grew()
    owner.mine.save()
    owner.mine.export(b"label", b"", 32)
    owner.mine.group_info()
    with pytest.raises(mls.MlsError):
        owner.process(message)
    assert owner.mine.counter == seen[-1]


def test_state_that_was_rolled_back_is_refused() -> None:
    owner, second = group_of(["owner", "second"])
    old, at = owner.mine.save(), owner.mine.counter
    owner.send(b"this used a key")
    with pytest.raises(errors.StateRolledBackError):
        mls.Group.restore(old, owner.key, least_counter=owner.mine.counter)
    # Where nobody remembers the counter, the old state would use the same key again.
    again = mls.Group.restore(old, owner.key, least_counter=at)
    assert again.counter == at
    assert second.mine.epoch == again.epoch


def test_state_of_another_signature_key_or_version_is_refused() -> None:
    owner, second = group_of(["owner", "second"])
    state = owner.mine.save()
    with pytest.raises(errors.StateCorruptError, match="signature key"):
        mls.Group.restore(state, second.key, least_counter=0)
    with pytest.raises(errors.StateCorruptError, match="version"):
        mls.Group.restore(b"\0\2" + state[2:], owner.key, least_counter=0)
    with pytest.raises(errors.TruncatedError):
        mls.Group.restore(state[:-1], owner.key, least_counter=0)
    with pytest.raises(errors.TrailingBytesError):
        mls.Group.restore(state + b"\0", owner.key, least_counter=0)


def test_key_package_secrets_are_saved_and_wiped() -> None:
    newcomer, owner = Client("newcomer"), Client("owner")
    keys = newcomer.package()
    restored = mls.KeyPackageSecrets.restore(keys.save())
    assert restored == keys
    with pytest.raises(errors.StateCorruptError):
        mls.KeyPackageSecrets.restore(b"\0\2" + keys.save()[2:])
    owner.create()
    made = owner.commit(mls.CommitIntent(add=(keys.package,)))
    owner.mine.confirm()
    assert made.welcome is not None
    newcomer.join(made.welcome, restored)
    restored.wipe()
    assert restored.init_private == restored.encryption_private == bytes(32)
    with pytest.raises(errors.DecryptionError):
        newcomer.join(made.welcome, restored)
    assert_group_goes_on([owner, newcomer])


# --- what is gone ---------------------------------------------------------------------------------


def test_wipe_overwrites_and_spares_short_objects() -> None:
    secret = derive_secret(b"x" * 32, b"label")
    wipe(secret, None, b"", b"short")
    assert secret == bytes(32)


def test_past_epochs_secrets_are_overwritten() -> None:
    clients = five()()
    owner = clients[0]
    old = epoch_of(owner)
    secrets = old.secrets
    own_keys = [private for private, _ in old.keys.values()]
    commit_now(owner, mls.CommitIntent(), clients[1:])
    for gone in (
        secrets.init,
        secrets.exporter,
        secrets.external,
        secrets.confirmation,
        secrets.membership,
        *own_keys,
    ):
        assert gone == bytes(32)
    for _ in range(4):
        commit_now(owner, mls.CommitIntent(), clients[1:])
    assert secrets.sender_data == bytes(32)
    assert not old.secret_tree.nodes


def test_parents_that_others_renewed_are_overwritten() -> None:
    clients = five()()
    owner, fifth = clients[0], clients[4]
    before = {node: private for node, (private, _) in epoch_of(owner).keys.items()}
    commit_now(fifth, mls.CommitIntent(), clients[:4])
    after = epoch_of(owner).keys
    assert before[7] == bytes(32)
    assert after[0][0] == before[0] != bytes(32)


def test_lost_commit_leaves_no_secret() -> None:
    clients = group_of(["owner", "second"])
    owner, second = clients
    owner.commit()
    pending = owner.mine._member.pending
    assert pending is not None
    kept = {private for private, _ in epoch_of(owner).keys.values()}
    made = [private for private, _ in pending.epoch.keys.values() if private not in kept]
    owner.process(second.commit().commit)
    assert pending.epoch.secrets.init == bytes(32)
    assert pending.epoch.secrets.sender_data == bytes(32)
    assert made
    assert all(private == bytes(32) for private in made)


def test_message_key_is_overwritten_once_it_was_used() -> None:
    owner, second = group_of(["owner", "second"])
    message = owner.send(b"x")
    tree = epoch_of(second).secret_tree
    advance = tree.look_up(0, RatchetType.APPLICATION, 0)
    secret = tree.ratchets[0, RatchetType.APPLICATION].secret
    second.process(message)
    assert secret == bytes(32)
    assert tree.ratchets[0, RatchetType.APPLICATION].skipped == {}
    tree.discard(advance)
    assert advance.key == (bytes(32), bytes(12))


def test_used_up_keys_are_not_in_the_saved_state() -> None:
    clients = group_of(["owner", "second"])
    owner, second = clients
    gone = set()
    for _ in range(8):
        epoch = epoch_of(second)
        for secret in (
            epoch.secrets.init,
            epoch.secrets.exporter,
            epoch.secrets.external,
            epoch.secrets.membership,
            *(private for private, _ in epoch.keys.values()),
        ):
            gone.add(bytes(bytearray(secret)))
        second.process(owner.send(b"x"))
        commit_now(second, mls.CommitIntent(), [owner])
    state = second.mine.save()
    assert len(gone) > 30
    assert [secret for secret in gone if secret in state] == []
