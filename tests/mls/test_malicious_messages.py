"""Messages that are replayed, misplaced, forged or malformed: each is refused by its own error."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.mls.malice import epoch_of, forge_commit, forge_proposal, frame, seal
from tests.mls.support import Client, assert_group_goes_on, group_of
from xmtp_tee import mls
from xmtp_tee.mls import errors, protection
from xmtp_tee.mls.extensions import external_senders_extension
from xmtp_tee.mls.framing import (
    AuthenticatedContent,
    Authentication,
    FramedContent,
    PrivateMessage,
    Sender,
    SenderType,
    WireFormat,
)
from xmtp_tee.mls.message import decode_message, encode_message
from xmtp_tee.mls.protection import make_public, seal_private, sign
from xmtp_tee.mls.secret_tree import RatchetType, SecretTree

LIMIT = 1 << 20


@pytest.fixture
def clients() -> list[Client]:
    return group_of(["owner", "mallory", "third"])


def private(data: bytes) -> PrivateMessage:
    message = decode_message(data, LIMIT)
    assert isinstance(message, PrivateMessage)
    return message


# --- replay, order, distance (section 9) ----------------------------------------------------------


def test_replayed_application_message_is_refused(clients: list[Client]) -> None:
    owner, mallory, _ = clients
    message = owner.send(b"once")
    mallory.process(message)
    with pytest.raises(errors.MessageReplayedError):
        mallory.process(message)
    assert_group_goes_on(clients)


def test_replayed_message_of_a_past_epoch_is_refused(clients: list[Client]) -> None:
    owner, mallory, third = clients
    message = owner.send(b"once")
    mallory.process(message)
    made = owner.commit()
    for client in clients:
        client.process(made.commit)
    with pytest.raises(errors.MessageReplayedError):
        mallory.process(message)
    assert isinstance(third.process(message), mls.ApplicationMessage)
    assert_group_goes_on(clients)


def test_replayed_commit_is_refused(clients: list[Client]) -> None:
    owner, mallory, third = clients
    made = owner.commit()
    for client in clients:
        client.process(made.commit)
    for client in (mallory, third, owner):
        with pytest.raises(errors.WrongEpochError):
            client.process(made.commit)
    assert_group_goes_on(clients)


def test_replayed_proposal_is_refused() -> None:
    clients = group_of(["owner", "mallory", "third"])
    message, _ = forge_proposal(clients[0], mls.Remove(1))
    clients[2].process(message)
    with pytest.raises(errors.MessageReplayedError):
        clients[2].process(message)


def test_messages_in_any_order_are_read_once_each(clients: list[Client]) -> None:
    owner, mallory, _ = clients
    messages = [owner.send(b"%d" % i) for i in range(20)]
    for i in (19, 0, 7, 3, 1):
        event = mallory.process(messages[i])
        assert isinstance(event, mls.ApplicationMessage)
        assert (event.data, event.generation) == (b"%d" % i, i)
    for i in (19, 0, 7, 3, 1):
        with pytest.raises(errors.MessageReplayedError):
            mallory.process(messages[i])
    assert_group_goes_on(clients)


def test_message_further_ahead_than_the_limit_is_refused() -> None:
    config = mls.Config(max_ahead=5, max_skipped=5)
    clients = group_of(["owner", "mallory"], make=lambda name: Client(name, config=config))
    owner, mallory = clients
    messages = [owner.send(b"%d" % i) for i in range(8)]
    with pytest.raises(errors.GenerationTooFarError):
        mallory.process(messages[6])
    mallory.process(messages[5])
    mallory.process(messages[7])
    # Six were skipped in all, five keys are kept: the oldest is gone.
    with pytest.raises(errors.MessageReplayedError):
        mallory.process(messages[0])
    for i in (1, 2, 3, 4, 6):
        mallory.process(messages[i])
    assert_group_goes_on(clients)


def test_attack_a_member_that_skips_many_does_not_crowd_out_the_others_keys() -> None:
    config = mls.Config(max_ahead=50, max_skipped=10)
    clients = group_of(["owner", "mallory", "third"], make=lambda name: Client(name, config=config))
    owner, mallory, third = clients
    late, later = [owner.send(b"%d" % i) for i in range(3)], owner.send(b"3")
    third.process(later)
    flood = [mallory.send(b"%d" % i) for i in range(51)]
    third.process(flood[-1])
    tree = epoch_of(third).secret_tree
    assert sum(len(each.skipped) for each in tree.ratchets.values()) == 10
    for message in late:
        third.process(message)
    third.process(flood[49])
    with pytest.raises(errors.MessageReplayedError):
        third.process(flood[0])


def test_message_of_a_past_epoch_until_it_is_forgotten(clients: list[Client]) -> None:
    owner, mallory, _ = clients
    old = [owner.send(b"%d" % i) for i in range(2)]
    for i in range(4):
        if i == 3:
            event = mallory.process(old[1])
            assert isinstance(event, mls.ApplicationMessage)
            assert event.epoch == 1
        made = owner.commit()
        for client in clients:
            client.process(made.commit)
    with pytest.raises(errors.WrongEpochError):
        mallory.process(old[0])


def test_forged_message_does_not_use_up_the_genuine_ones_key(clients: list[Client]) -> None:
    """Mallory knows the ratchets of all, and sends garbage in the owner's name first."""
    owner, mallory, third = clients
    genuine = owner.send(b"genuine")
    epoch = epoch_of(mallory)
    framed = frame(mallory, b"forged", sender=Sender(SenderType.MEMBER, 0))
    signed = sign(WireFormat.PRIVATE_MESSAGE, framed, epoch.context.encoded, mallory.key)
    forged = seal(mallory, signed)
    with pytest.raises(errors.SignatureInvalidError):
        third.process(forged)
    event = third.process(genuine)
    assert isinstance(event, mls.ApplicationMessage)
    assert event.data == b"genuine"


# --- group, epoch, sender, form -------------------------------------------------------------------


def test_message_of_another_group_is_refused(clients: list[Client]) -> None:
    stranger = Client("stranger")
    stranger.create(group_id=b"other")
    with pytest.raises(errors.WrongGroupError):
        clients[0].process(stranger.send(b"hello"))
    assert_group_goes_on(clients)


def test_message_of_a_coming_epoch_is_refused(clients: list[Client]) -> None:
    owner, _, third = clients
    owner.commit()
    owner.mine.confirm()
    with pytest.raises(errors.WrongEpochError):
        third.process(owner.send(b"too early"))
    with pytest.raises(errors.WrongEpochError):
        third.process(owner.commit().commit)


def test_commit_of_a_past_epoch_is_refused(clients: list[Client]) -> None:
    owner, mallory, third = clients
    late = forge_commit(mallory).message
    made = owner.commit()
    for client in clients:
        client.process(made.commit)
    with pytest.raises(errors.WrongEpochError):
        third.process(late)
    assert_group_goes_on(clients)


def test_own_message_that_comes_back_is_told_apart(clients: list[Client]) -> None:
    owner = clients[0]
    with pytest.raises(errors.OwnMessageError):
        owner.process(owner.send(b"mine"))
    assert_group_goes_on(clients)


def test_own_public_message_that_comes_back_is_told_apart() -> None:
    config = mls.Config(private_handshake=False)
    owner, second = group_of(["owner", "second"], make=lambda name: Client(name, config=config))
    message = owner.propose(mls.Remove(1))
    with pytest.raises(errors.OwnMessageError):
        owner.process(message)
    assert isinstance(second.process(message), mls.ProposalReceived)


def test_past_message_from_a_leaf_that_was_blank_then(clients: list[Client]) -> None:
    mallory, third = clients[1], clients[2]
    blank = frame(mallory, b"x", sender=Sender(SenderType.MEMBER, 3))
    context = epoch_of(mallory).context.encoded
    signed = sign(WireFormat.PRIVATE_MESSAGE, blank, context, mallory.key)
    message = seal(mallory, signed)
    made = clients[0].commit()
    for client in clients:
        client.process(made.commit)
    with pytest.raises(errors.SenderUnknownError):
        third.process(message)
    assert_group_goes_on(clients)


def test_altered_private_message_is_refused(clients: list[Client]) -> None:
    owner, mallory, _ = clients
    genuine = private(owner.send(b"text", authenticated_data=b"beside"))
    flipped = bytes([genuine.ciphertext[0] ^ 1]) + genuine.ciphertext[1:]
    tail = genuine.ciphertext[:-1] + bytes([genuine.ciphertext[-1] ^ 1])
    sender_data = bytes([genuine.encrypted_sender_data[0] ^ 1]) + genuine.encrypted_sender_data[1:]
    for changes in (
        {"ciphertext": flipped},
        {"ciphertext": tail},
        {"ciphertext": b""},
        {"ciphertext": genuine.ciphertext[:-1]},
        {"encrypted_sender_data": sender_data},
        {"encrypted_sender_data": b""},
        {"authenticated_data": b"other"},
    ):
        with pytest.raises(errors.DecryptionError):
            mallory.process(encode_message(replace(genuine, **changes)))  # type: ignore[arg-type]
    assert isinstance(mallory.process(encode_message(genuine)), mls.ApplicationMessage)
    assert_group_goes_on(clients)


def test_application_data_announced_as_a_commit_is_refused(clients: list[Client]) -> None:
    from xmtp_tee.mls.framing import ContentType

    genuine = private(clients[0].send(b"text"))
    with pytest.raises(errors.DecryptionError):
        clients[1].process(encode_message(replace(genuine, content_type=ContentType.COMMIT)))


def test_message_from_a_blank_or_missing_leaf_is_refused(clients: list[Client]) -> None:
    mallory, third = clients[1], clients[2]
    blank = frame(mallory, b"x", sender=Sender(SenderType.MEMBER, 3))
    signed = sign(WireFormat.PRIVATE_MESSAGE, blank, epoch_of(mallory).context.encoded, mallory.key)
    with pytest.raises(errors.SenderUnknownError):
        third.process(seal(mallory, signed))
    outside = replace(blank, sender=Sender(SenderType.MEMBER, 1 << 20))
    message = private(seal(mallory, signed))
    epoch = epoch_of(mallory)
    scope = protection.opaque(message.group_id) + protection.u64(message.epoch) + b"\x01"
    key, nonce = protection._sender_data_key(
        epoch.context.suite, epoch.secrets.sender_data, message.ciphertext
    )
    data = protection.u32(outside.sender.index) + protection.u32(0) + bytes(4)
    sealed = epoch.context.suite.cipher(key).encrypt(nonce, data, scope)
    with pytest.raises(errors.LeafIndexError):
        third.process(encode_message(replace(message, encrypted_sender_data=sealed)))
    assert_group_goes_on(clients)


def test_sender_data_of_another_length_are_refused(clients: list[Client]) -> None:
    message = private(clients[0].send(b"x"))
    epoch = epoch_of(clients[1])
    scope = protection.opaque(message.group_id) + protection.u64(message.epoch) + b"\x01"
    key, nonce = protection._sender_data_key(
        epoch.context.suite, epoch.secrets.sender_data, message.ciphertext
    )
    for length, error in ((11, errors.TruncatedError), (13, errors.TrailingBytesError)):
        sealed = epoch.context.suite.cipher(key).encrypt(nonce, bytes(length), scope)
        with pytest.raises(error):
            clients[1].process(encode_message(replace(message, encrypted_sender_data=sealed)))


def with_plaintext(client: Client, plaintext: bytes, kind: RatchetType) -> bytes:
    """A private message with a plaintext of one's own making, under the right keys."""
    from xmtp_tee.mls.framing import ContentType

    epoch = epoch_of(client)
    suite = epoch.context.suite
    generation, (key, nonce) = epoch.secret_tree.next_key(epoch.own, kind)
    content = ContentType.APPLICATION if kind is RatchetType.APPLICATION else ContentType.COMMIT
    scope = (
        protection.opaque(epoch.context.group_id)
        + protection.u64(epoch.context.epoch)
        + protection.u8(content)
    )
    ciphertext = suite.cipher(key).encrypt(nonce, plaintext, scope + b"\x00")
    data_key, data_nonce = protection._sender_data_key(suite, epoch.secrets.sender_data, ciphertext)
    data = protection.u32(epoch.own) + protection.u32(generation) + bytes(4)
    sealed = suite.cipher(data_key).encrypt(data_nonce, data, scope)
    return encode_message(
        PrivateMessage(
            epoch.context.group_id, epoch.context.epoch, content, b"", sealed, ciphertext
        )
    )


def test_padding_that_is_not_zero_is_refused(clients: list[Client]) -> None:
    mallory, third = clients[1], clients[2]
    content = frame(mallory, b"text")
    signed = sign(
        WireFormat.PRIVATE_MESSAGE, content, epoch_of(mallory).context.encoded, mallory.key
    )
    sound = b"\x04text" + signed.authentication.encode()
    for padding in (b"\x01", b"\x00\x01", bytes(50) + b"\xff"):
        with pytest.raises(errors.PaddingError):
            third.process(with_plaintext(mallory, sound + padding, RatchetType.APPLICATION))
    event = third.process(with_plaintext(mallory, sound + bytes(99), RatchetType.APPLICATION))
    assert isinstance(event, mls.ApplicationMessage)
    assert_group_goes_on(clients)


@pytest.mark.parametrize("plaintext", [b"", b"\x05text", b"\xc0", b"\x40\x01x"])
def test_malformed_plaintext_is_refused(clients: list[Client], plaintext: bytes) -> None:
    for kind in RatchetType:
        with pytest.raises(errors.MlsDecodeError):
            clients[2].process(with_plaintext(clients[1], plaintext, kind))
    assert_group_goes_on(clients)


def test_application_data_in_clear_are_refused(clients: list[Client]) -> None:
    mallory, third = clients[1], clients[2]
    epoch = epoch_of(mallory)
    signed = sign(
        WireFormat.PUBLIC_MESSAGE, frame(mallory, b"text"), epoch.context.encoded, mallory.key
    )
    with pytest.raises(errors.WireFormatError):
        make_public(signed, epoch.context.encoded, epoch.secrets.membership)
    from xmtp_tee.mls.framing import PublicMessage

    forged = PublicMessage(signed.content, signed.authentication, bytes(32))
    with pytest.raises(errors.WireFormatError):
        third.process(encode_message(forged))
    assert_group_goes_on(clients)


def test_members_handshake_in_clear_where_it_is_not_accepted() -> None:
    config = mls.Config(accept_public_handshake=False)
    clients = group_of(["owner", "mallory"], make=lambda name: Client(name, config=config))
    message = forge_commit(clients[1], form=WireFormat.PUBLIC_MESSAGE).message
    with pytest.raises(errors.WireFormatError):
        clients[0].process(message)
    assert_group_goes_on(clients)


def test_signature_of_one_form_is_not_valid_in_the_other(clients: list[Client]) -> None:
    """The wire format is signed: a private commit cannot be repeated in clear."""
    mallory, third = clients[1], clients[2]
    epoch = epoch_of(mallory)
    framed = frame(mallory, mls.Remove(0))
    signed = sign(WireFormat.PRIVATE_MESSAGE, framed, epoch.context.encoded, mallory.key)
    moved = AuthenticatedContent(WireFormat.PUBLIC_MESSAGE, framed, signed.authentication)
    with pytest.raises(errors.SignatureInvalidError):
        third.process(
            encode_message(make_public(moved, epoch.context.encoded, epoch.secrets.membership))
        )
    assert_group_goes_on(clients)


def test_welcome_group_info_and_key_package_are_no_messages_of_a_group(
    clients: list[Client],
) -> None:
    owner = clients[0]
    stranger = Client("stranger").package().package
    welcome = clients[1].commit(mls.CommitIntent(add=(stranger,))).welcome
    clients[1].mine.discard()
    assert welcome is not None
    for message in (welcome, owner.mine.group_info(), encode_message(stranger)):
        with pytest.raises(errors.WireFormatError):
            owner.process(message)
    assert_group_goes_on(clients)


def test_message_longer_than_the_limit_is_refused() -> None:
    config = mls.Config(max_message=1000)
    single = Client("single", config=config)
    single.create()
    with pytest.raises(errors.TooLargeError):
        single.process(bytes(1001))


def test_too_much_padding_is_refused(clients: list[Client]) -> None:
    with pytest.raises(errors.IntentInvalidError):
        clients[0].send(b"x", padding=(1 << 16) + 1)
    assert_group_goes_on(clients)


# --- proposals from outside (section 12.1.8) ------------------------------------------------------


class Outside:
    """A group with one external sender."""

    def __init__(self) -> None:
        self.service = Client("service")
        sender = mls.ExternalSender(self.service.key.public, self.service.credential)
        self.clients = group_of(
            ["owner", "second", "third"], extensions=(external_senders_extension([sender]),)
        )

    def propose(
        self,
        proposal: mls.Proposal,
        sender: Sender = Sender(SenderType.EXTERNAL, 0),  # noqa: B008 -- frozen
        key: mls.SignatureKey | None = None,
        **changes: Any,
    ) -> bytes:
        context = epoch_of(self.clients[0]).context
        framed = replace(
            FramedContent(context.group_id, context.epoch, sender, b"", proposal), **changes
        )
        signed = sign(WireFormat.PUBLIC_MESSAGE, framed, context.encoded, key or self.service.key)
        return encode_message(make_public(signed, context.encoded, None))

    def refuses(self, message: bytes, error: type[mls.MlsError]) -> None:
        for client in self.clients:
            with pytest.raises(error):
                client.process(message)
        assert_group_goes_on(self.clients)


def test_external_sender_proposes_and_a_member_commits() -> None:
    outside = Outside()
    stranger = Client("stranger")
    keys = stranger.package()
    for proposal in (mls.Remove(2), mls.Add(keys.package)):
        message = outside.propose(proposal)
        for client in outside.clients:
            event = client.process(message)
            assert isinstance(event, mls.ProposalReceived)
            assert event.sender.type is SenderType.EXTERNAL
    made = outside.clients[0].commit()
    assert made.welcome is not None
    for client in outside.clients:
        event = client.process(made.commit)
        assert isinstance(event, mls.CommitApplied)
        assert event.removed_us == (client is outside.clients[2])
    stranger.join(made.welcome, keys)
    assert_group_goes_on([outside.clients[0], outside.clients[1], stranger])


def test_external_sender_that_is_not_named() -> None:
    outside = Outside()
    message = outside.propose(mls.Remove(2), Sender(SenderType.EXTERNAL, 1))
    outside.refuses(message, errors.ExternalSenderUnknownError)


def test_external_sender_in_a_group_without_any() -> None:
    outside = Outside()
    outside.clients = group_of(["owner", "second"])
    outside.refuses(outside.propose(mls.Remove(1)), errors.ExternalSenderUnknownError)


def test_external_senders_signature_by_somebody_else() -> None:
    outside = Outside()
    message = outside.propose(mls.Remove(2), key=Client("attacker").key)
    outside.refuses(message, errors.SignatureInvalidError)


def test_external_sender_may_not_update_or_change_application_data() -> None:
    outside = Outside()
    from tests.mls.malice import forge_update

    update = forge_update(outside.clients[1])
    outside.refuses(outside.propose(update), errors.ProposalSenderError)
    change = mls.AppDataUpdate(1, b"x")
    outside.refuses(outside.propose(change), errors.ProposalSenderError)


def test_external_sender_may_not_commit() -> None:
    outside = Outside()
    from xmtp_tee.mls.commits import Commit

    context = epoch_of(outside.clients[0]).context
    framed = FramedContent(
        context.group_id, context.epoch, Sender(SenderType.EXTERNAL, 0), b"", Commit((), None)
    )
    signed = sign(WireFormat.PUBLIC_MESSAGE, framed, context.encoded, outside.service.key)
    whole = AuthenticatedContent(
        signed.wire_format, framed, Authentication(signed.authentication.signature, bytes(32))
    )
    message = encode_message(make_public(whole, context.encoded, None))
    outside.refuses(message, errors.ProposalSenderError)


def test_external_proposal_of_another_epoch_is_refused() -> None:
    outside = Outside()
    outside.refuses(outside.propose(mls.Remove(2), epoch=7), errors.WrongEpochError)


def test_newcomer_proposes_its_own_add() -> None:
    outside = Outside()
    stranger = Client("stranger")
    keys = stranger.package()
    sender = Sender(SenderType.NEW_MEMBER_PROPOSAL)
    message = outside.propose(mls.Add(keys.package), sender, stranger.key)
    for client in outside.clients:
        client.process(message)
    made = outside.clients[1].commit()
    for client in outside.clients:
        client.process(made.commit)
    assert made.welcome is not None
    stranger.join(made.welcome, keys)
    assert_group_goes_on([*outside.clients, stranger])


def test_newcomer_proposes_somebody_elses_add() -> None:
    outside = Outside()
    package = Client("stranger").package().package
    sender = Sender(SenderType.NEW_MEMBER_PROPOSAL)
    message = outside.propose(mls.Add(package), sender, Client("attacker").key)
    outside.refuses(message, errors.SignatureInvalidError)


def test_newcomer_proposes_anything_but_an_add() -> None:
    outside = Outside()
    sender = Sender(SenderType.NEW_MEMBER_PROPOSAL)
    message = outside.propose(mls.Remove(2), sender, Client("attacker").key)
    outside.refuses(message, errors.ProposalSenderError)


def test_proposal_in_the_name_of_an_external_commit() -> None:
    outside = Outside()
    sender = Sender(SenderType.NEW_MEMBER_COMMIT)
    message = outside.propose(mls.Remove(2), sender, Client("attacker").key)
    outside.refuses(message, errors.ProposalSenderError)


def test_membership_tag_goes_with_members_alone() -> None:
    outside = Outside()
    epoch = epoch_of(outside.clients[0])
    framed = frame(outside.clients[0], mls.Remove(2))
    signed = sign(WireFormat.PUBLIC_MESSAGE, framed, epoch.context.encoded, outside.clients[0].key)
    with pytest.raises(errors.MembershipTagError):
        encode_message(make_public(signed, epoch.context.encoded, None))


# --- the secret tree alone ------------------------------------------------------------------------


def test_secret_tree_deletes_what_it_has_used() -> None:
    suite = mls.SUITE_3
    tree = SecretTree(suite, 4, bytes(range(32)), 10, 10)
    generation, key = tree.next_key(0, RatchetType.APPLICATION)
    assert generation == 0
    assert len(key[0]) == 32
    # The way to leaf 0 is gone; what is left leads to the others only.
    assert set(tree.nodes) == {2, 5}
    assert tree.next_key(0, RatchetType.APPLICATION)[0] == 1
    with pytest.raises(errors.MessageReplayedError):
        tree.look_up(0, RatchetType.APPLICATION, 0)
    found = tree.look_up(1, RatchetType.HANDSHAKE, 3)
    assert tree.ratchets[1, RatchetType.HANDSHAKE].generation == 0
    tree.consume(found)
    assert sorted(tree.ratchets[1, RatchetType.HANDSHAKE].skipped) == [0, 1, 2]
    assert found.key == (bytes(32), bytes(12))
    tree.wipe()
    assert not tree.nodes
    assert not tree.ratchets
    with pytest.raises(errors.LeafIndexError):
        tree.look_up(4, RatchetType.APPLICATION, 0)


def test_seal_private_counts_generations() -> None:
    clients = group_of(["owner", "second"])
    owner = clients[0]
    epoch = epoch_of(owner)
    signed = sign(WireFormat.PRIVATE_MESSAGE, frame(owner, b"x"), epoch.context.encoded, owner.key)
    for expected in range(3):
        message = seal_private(
            epoch.context.suite,
            signed,
            epoch.secret_tree,
            epoch.secrets.sender_data,
            0,
            owner.entropy,
        )
        event = clients[1].process(encode_message(message))
        assert isinstance(event, mls.ApplicationMessage)
        assert event.generation == expected
