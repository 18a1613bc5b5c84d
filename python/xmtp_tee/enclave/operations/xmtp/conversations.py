"""Conversations: created, changed, written to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from xmtp_tee.enclave.member.history import HistoryMessage, seal_message
from xmtp_tee.enclave.operations.call import Call
from xmtp_tee.enclave.operations.xmtp.common import (
    NANOSECONDS,
    Answer,
    entropy_of,
    installation_of,
    judged,
    random_bytes,
    view,
)
from xmtp_tee.wire import messages as wire
from xmtp_tee.xmtp.commit_rules import InboxAt, Participant
from xmtp_tee.xmtp.conversation import Conversation
from xmtp_tee.xmtp.conversation_events import NewMembers
from xmtp_tee.xmtp.errors import IdentityUpdateRefusedError, KeyPackageInvalidError
from xmtp_tee.xmtp.group_state import GroupState
from xmtp_tee.xmtp.key_packages import PeerKeyPackage, read_key_package
from xmtp_tee.xmtp.permissions import ADMINS_ONLY, ALL_MEMBERS


def create(call: Call, operation: wire.XmtpCreate) -> Answer[wire.XmtpConversation]:
    """Create a conversation with us alone in it."""
    record, installation = installation_of(call, operation.identity_key_id)
    rooms = call.parts.rooms

    def answer() -> wire.XmtpConversation:
        inbox, logs = installation.inbox_id, rooms.logs(record)
        # Our own log must be known, and must say that this installation belongs.
        if not logs.latest(inbox).has_installation(record.public_key):
            raise IdentityUpdateRefusedError("The installation is not in its inbox's log yet")
        named = {"group_name": operation.name, "description": operation.description}
        conversation = Conversation.create(
            rooms.key(call, record),
            inbox,
            logs.newest(inbox),
            call.now,
            entropy=entropy_of(call),
            dm_with=operation.dm_with,
            permissions=ADMINS_ONLY if operation.admins_only else ALL_MEMBERS,
            attributes={} if operation.dm_with else named,
        )
        made = installation.with_group(conversation.id, 0)
        with rooms.changed(call, record, conversation) as draft:
            rooms.put_installation(draft, record, made)
        return view(conversation, made)

    return judged(answer)


def change_members(
    call: Call, operation: wire.XmtpChangeMembers
) -> Answer[wire.XmtpOutgoing] | wire.XmtpNeedsKeyPackages:
    """Commit to other members, and to following the logs of those who stay."""
    record, _ = installation_of(call, operation.identity_key_id)
    rooms = call.parts.rooms
    logs = rooms.logs(record)
    conversation = rooms.conversation(call, record, operation.group_id)
    offered = {each.installation: each.key_package for each in operation.key_packages}

    def answer() -> wire.XmtpOutgoing | wire.XmtpNeedsKeyPackages:
        present = {member.installation for member in conversation.members}
        membership = conversation.state.membership
        staying = [i for i in membership.inboxes if i not in operation.remove]
        newcomers, needed = [], []
        for inbox in dict.fromkeys((*staying, *operation.add)):
            counted = set(present)
            if inbox in membership.inboxes:
                # What is known of a log must not lie behind what the group counts already. Who belonged then and
                # is not here could not be added, and peers take nobody whom no log brings in.
                counted |= set(logs.at(inbox, membership.inboxes[inbox]).installations)
            wanted = [k for k in logs.latest(inbox).installations if k not in counted]
            needed += [key for key in wanted if key not in offered]
            packages, failed = _packages(wanted, offered, inbox, call.now)
            newcomers.append(NewMembers(inbox, logs.newest(inbox), packages, failed))
        if needed:
            return wire.XmtpNeedsKeyPackages(installations=tuple(needed))
        with rooms.whole_or_not(record, operation.group_id):
            commit = conversation.change_members(
                call.now,
                entropy=entropy_of(call),
                inbox_at=logs.at,
                add=newcomers,
                remove=operation.remove,
            )
        if commit is None:
            return wire.XmtpOutgoing(message=b"")
        with rooms.changed(call, record, conversation):
            return wire.XmtpOutgoing(message=commit)

    return judged(answer)


def rename(call: Call, operation: wire.XmtpRename) -> Answer[wire.XmtpOutgoing]:
    """Commit to another name or description."""

    def change(state: GroupState) -> GroupState:
        if operation.name is not None:
            state = state.with_attribute("group_name", operation.name)
        if operation.description is not None:
            state = state.with_attribute("description", operation.description)
        return state

    return _commit(
        call,
        operation.identity_key_id,
        operation.group_id,
        lambda room, inbox_at: room.change_state(
            change, call.now, inbox_at=inbox_at, entropy=entropy_of(call)
        ),
    )


def renew_keys(call: Call, operation: wire.XmtpRenewKeys) -> Answer[wire.XmtpOutgoing]:
    """Commit to new keys of our own."""
    return _commit(
        call,
        operation.identity_key_id,
        operation.group_id,
        lambda room, _: room.renew(call.now, entropy=entropy_of(call)),
    )


def drop_commit(call: Call, operation: wire.XmtpDropCommit) -> wire.XmtpConversation:
    """Forget our own commit that waits."""
    record, installation = installation_of(call, operation.identity_key_id)
    conversation = call.parts.rooms.conversation(call, record, operation.group_id)
    conversation.discard_commit()
    with call.parts.rooms.changed(call, record, conversation):
        return view(conversation, installation)


def send(call: Call, operation: wire.XmtpSend) -> Answer[wire.XmtpOutgoing]:
    """Encrypt content to a group."""
    record, installation = installation_of(call, operation.identity_key_id)
    rooms = call.parts.rooms
    conversation = rooms.conversation(call, record, operation.group_id)

    def answer() -> wire.XmtpOutgoing:
        message, message_id = conversation.send(
            operation.content, entropy_of(call)(8).hex(), entropy=entropy_of(call)
        )
        kept = HistoryMessage(
            message_id,
            Participant(installation.inbox_id, record.public_key),
            call.now * NANOSECONDS,
            operation.content,
        )
        sealed = seal_message(
            installation.history_key, conversation.id, kept, random_bytes(call, 12)
        )
        with rooms.changed(call, record, conversation):
            return wire.XmtpOutgoing(message=message, message_id=message_id, sealed=sealed)

    return judged(answer)


def get_conversation(call: Call, operation: wire.XmtpGetConversation) -> wire.XmtpConversation:
    """Show a conversation."""
    record, installation = installation_of(call, operation.identity_key_id)
    conversation = call.parts.rooms.conversation(call, record, operation.group_id)
    return view(conversation, installation)


def list_conversations(
    call: Call, operation: wire.XmtpListConversations
) -> wire.XmtpConversationIds:
    """List the installation's conversations, and have key packages whose time is over removed."""
    record, installation = installation_of(call, operation.identity_key_id)
    rooms = call.parts.rooms
    with rooms.key_packages(call, record) as packages:
        kept = packages.without_old(call.now)
        if len(kept.packages) < len(packages.packages):
            with call.mutation() as draft:
                rooms.put_key_packages(draft, record, kept)
        package = kept.to_publish(call.now)
    return wire.XmtpConversationIds(
        group_ids=tuple(group for group, _ in installation.groups),
        key_package=None if package is None else hashlib.sha256(package).digest(),
    )


def _commit(
    call: Call,
    identity_key_id: str,
    group_id: bytes,
    make: Callable[[Conversation, InboxAt], bytes],
) -> Answer[wire.XmtpOutgoing]:
    record, _ = installation_of(call, identity_key_id)
    rooms = call.parts.rooms
    conversation = rooms.conversation(call, record, group_id)

    def answer() -> wire.XmtpOutgoing:
        commit = make(conversation, rooms.logs(record).at)
        with rooms.changed(call, record, conversation):
            return wire.XmtpOutgoing(message=commit)

    return judged(answer)


def _packages(
    wanted: list[bytes], offered: dict[bytes, bytes | None], inbox: str, now: int
) -> tuple[tuple[PeerKeyPackage, ...], tuple[bytes, ...]]:
    """The wanted installations' key packages, and those without one that can be used."""
    packages, failed = [], []
    for key in wanted:
        encoded = offered.get(key)
        try:
            if encoded is None:
                raise KeyPackageInvalidError("The node has no key package of an installation")
            package = read_key_package(encoded, key, now)
            if package.participant.inbox_id != inbox:
                raise KeyPackageInvalidError("A key package is of another inbox")
            packages.append(package)
        except KeyPackageInvalidError:
            failed.append(key)
    return tuple(packages), tuple(failed)
