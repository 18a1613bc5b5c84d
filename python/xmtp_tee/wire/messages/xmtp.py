"""The XMTP member inside the enclave: the host brings bytes of the network and gets bytes for it.

``identity_key_id`` is the installation's key (purpose ``xmtp-identity`` or ``xmtp-installation``); it names
the client. Messages leave in clear as the result of ``XmtpProcess`` and ``XmtpOpenHistory`` alone, to callers who are
granted them; what a conversation is (name, description, members) also in every ``XmtpConversation``.

An operation that needs an inbox's identity log answers ``XmtpNeedsLog``: bring the log (``XmtpLearn``) and
ask again; nothing has changed.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from xmtp_tee.wire.limits import MAX_HISTORY, MAX_INCOMING, MAX_LOG_ENTRIES
from xmtp_tee.wire.messages.base import Address, Bytes32, Count, KeyId, Message

InboxId = Annotated[str, Meta(min_length=64, max_length=64, pattern="^[0-9a-f]*$")]
GroupId = Annotated[bytes, Meta(min_length=1, max_length=32)]
Installations = Annotated[tuple[Bytes32, ...], Meta(max_length=10)]
Text = Annotated[str, Meta(max_length=8192)]


# --- the installation -----------------------------------------------------------------------------


class XmtpRegister(Message, frozen=True, tag="xmtp-register"):
    """Make an installation of an identity key: sign, by the wallet key and by the identity key, the identity
    update that brings it in (under the wallet's rules), and make its first key package;
    -> ``XmtpRegistration``. ``inbox_exists``: whether the wallet's inbox exists already.
    """

    wallet_key_id: KeyId
    identity_key_id: KeyId
    inbox_exists: bool
    nonce: Count = 1


class XmtpNewKeyPackage(Message, frozen=True, tag="xmtp-new-key-package"):
    """Make the installation's next key package; those before it stay usable for a day;
    -> ``XmtpKeyPackage``.
    """

    identity_key_id: KeyId


class XmtpRevoke(Message, frozen=True, tag="xmtp-revoke"):
    """Sign, by the wallet key, the identity update that revokes installations (the wallet's rules must allow
    it); -> ``XmtpIdentityUpdate``.
    """

    wallet_key_id: KeyId
    identity_key_id: KeyId
    installations: Installations


# --- what the network says ------------------------------------------------------------------------


class XmtpLogEntry(Message, frozen=True, tag="xmtp-log-entry"):
    """An entry of an inbox's log, as the node gave it."""

    sequence_id: Count
    update: bytes


class XmtpLearn(Message, frozen=True, tag="xmtp-learn"):
    """Bring entries of an inbox's log, for one installation; each is verified; -> ``XmtpLearned``,
    ``XmtpNeedsLog`` or ``XmtpRefused``. ``after``: the sequence id of the entry before them.
    """

    identity_key_id: KeyId
    inbox_id: InboxId
    entries: Annotated[tuple[XmtpLogEntry, ...], Meta(max_length=MAX_LOG_ENTRIES)]
    after: Count = 0


class XmtpFindWelcome(Message, frozen=True, tag="xmtp-find-welcome"):
    """Open a welcome pointer (a WelcomeMessage, protobuf) as far as needed to know where the welcome lies;
    -> ``XmtpDestination``.
    """

    identity_key_id: KeyId
    welcome: bytes


class XmtpJoin(Message, frozen=True, tag="xmtp-join"):
    """Join by a welcome (a WelcomeMessage, protobuf); ``pointed``: the WelcomeMessage that it points to;
    -> ``XmtpConversation``, ``XmtpNeedsLog`` or ``XmtpRefused``.
    """

    identity_key_id: KeyId
    welcome: bytes
    pointed: bytes | None = None


class XmtpIncoming(Message, frozen=True, tag="xmtp-incoming"):
    """A message of a group (an MLSMessage), with the node's id and time (unix nanoseconds) of it."""

    message: bytes
    message_id: Count
    sent_ns: Count


class XmtpProcess(Message, frozen=True, tag="xmtp-process"):
    """Read the next messages of a group, in the order of the node's ids; -> ``XmtpEvents``, or
    ``XmtpNeedsLog`` if the first of them needs an inbox's log.

    The messages are read once. The last answer is kept: asked again for messages of it, from whichever
    on, the enclave repeats what it said of them and reads nothing. So write an answer down before you ask
    for what comes behind it.
    """

    identity_key_id: KeyId
    group_id: GroupId
    messages: Annotated[tuple[XmtpIncoming, ...], Meta(min_length=1, max_length=MAX_INCOMING)]


# --- conversations --------------------------------------------------------------------------------


class XmtpCreate(Message, frozen=True, tag="xmtp-create"):
    """Create a conversation with us alone in it; a direct message if ``dm_with`` names an inbox;
    -> ``XmtpConversation`` or ``XmtpNeedsLog``.
    """

    identity_key_id: KeyId
    dm_with: InboxId | None = None
    name: Text = ""
    description: Text = ""
    admins_only: bool = False


class XmtpNewInstallation(Message, frozen=True, tag="xmtp-new-installation"):
    """An installation to be added, with its key package, or nothing when the node has none."""

    installation: Bytes32
    key_package: bytes | None


class XmtpChangeMembers(Message, frozen=True, tag="xmtp-change-members"):
    """Commit to bringing inboxes in and out, and to following the logs of all who stay, up to the newest
    entry that was brought; -> ``XmtpOutgoing`` (with an empty message if nothing would change),
    ``XmtpNeedsLog``, ``XmtpNeedsKeyPackages`` or ``XmtpRefused``.
    """

    identity_key_id: KeyId
    group_id: GroupId
    add: Annotated[tuple[InboxId, ...], Meta(max_length=250)] = ()
    remove: Annotated[tuple[InboxId, ...], Meta(max_length=250)] = ()
    key_packages: Annotated[tuple[XmtpNewInstallation, ...], Meta(max_length=2500)] = ()


class XmtpRename(Message, frozen=True, tag="xmtp-rename"):
    """Commit to another name or description of a group; -> ``XmtpOutgoing`` or ``XmtpRefused``."""

    identity_key_id: KeyId
    group_id: GroupId
    name: Text | None = None
    description: Text | None = None


class XmtpRenewKeys(Message, frozen=True, tag="xmtp-renew-keys"):
    """Commit to new keys of our own; -> ``XmtpOutgoing``."""

    identity_key_id: KeyId
    group_id: GroupId


class XmtpDropCommit(Message, frozen=True, tag="xmtp-drop-commit"):
    """Forget our own commit that waits, because it never reached the node; -> ``XmtpConversation``. If it comes
    back after all, ``XmtpProcess`` refuses it by name, and the conversation is over for us: the others are in an
    epoch that we cannot reach.
    """

    identity_key_id: KeyId
    group_id: GroupId


class XmtpSend(Message, frozen=True, tag="xmtp-send"):
    """Encrypt content (an ``EncodedContent``, protobuf) to a group; -> ``XmtpOutgoing`` or ``XmtpRefused``."""

    identity_key_id: KeyId
    group_id: GroupId
    content: bytes


class XmtpGetConversation(Message, frozen=True, tag="xmtp-get-conversation"):
    """-> ``XmtpConversation``."""

    identity_key_id: KeyId
    group_id: GroupId


class XmtpListConversations(Message, frozen=True, tag="xmtp-list-conversations"):
    """List the installation's conversations in the order of joining; -> ``XmtpConversationIds``. Private keys of
    key packages whose time is over are removed.
    """

    identity_key_id: KeyId


class XmtpOpenHistory(Message, frozen=True, tag="xmtp-open-history"):
    """Open messages that this enclave sealed for the host's database; -> ``XmtpHistory``."""

    identity_key_id: KeyId
    group_id: GroupId
    sealed: Annotated[tuple[bytes, ...], Meta(max_length=MAX_HISTORY)]


# --- results --------------------------------------------------------------------------------------


class XmtpRegistration(Message, frozen=True, tag="xmtp-registration"):
    """What to publish: the update and the key package, in this order reversed: the package first."""

    inbox_id: InboxId
    installation: Bytes32
    identity_update: bytes
    key_package: bytes


class XmtpKeyPackage(Message, frozen=True, tag="xmtp-key-package"):
    """A key package to upload."""

    key_package: bytes


class XmtpIdentityUpdate(Message, frozen=True, tag="xmtp-identity-update"):
    """An identity update to publish."""

    identity_update: bytes


class XmtpLearned(Message, frozen=True, tag="xmtp-learned"):
    """The newest entry that is known of the log, and the installations and wallets (addresses) that it
    leaves.
    """

    newest: Count
    installations: tuple[Bytes32, ...]
    wallets: tuple[Address, ...] = ()


class XmtpNeedsLog(Message, frozen=True, tag="xmtp-needs-log"):
    """An inbox's log is needed from behind ``known`` up to ``needed``."""

    inbox_id: InboxId
    known: Count
    needed: Count


class XmtpNeedsKeyPackages(Message, frozen=True, tag="xmtp-needs-key-packages"):
    """Key packages of these installations are needed."""

    installations: tuple[Bytes32, ...]


class XmtpRefused(Message, frozen=True, tag="xmtp-refused"):
    """What the network brought breaks a rule; the conversation goes on without it."""

    code: Annotated[str, Meta(max_length=64)]
    message: Annotated[str, Meta(max_length=500)]


class XmtpDestination(Message, frozen=True, tag="xmtp-destination"):
    """The topic at which a welcome lies; nothing if it came itself."""

    topic: bytes | None


class XmtpMember(Message, frozen=True, tag="xmtp-member"):
    """An installation in a group, under the inbox that its leaf names. ``belongs``: whether that inbox's log
    has the installation; a member of whom it does not is shown here alone, and never as a sender.
    """

    inbox_id: str
    installation: Bytes32
    belongs: bool = True


class XmtpConversation(Message, frozen=True, tag="xmtp-conversation"):
    """A conversation as its members agree on it. ``cursor``: the node's id before which nothing can be read.
    ``renew_first``: whether our keys should be renewed before our first message. ``failed_installations``: members'
    installations that could not be added, because the node had no usable key package of theirs.
    """

    group_id: GroupId
    epoch: Count
    is_active: bool
    dm_with: str | None
    name: str
    description: str
    creator: str
    members: tuple[XmtpMember, ...]
    admins: tuple[str, ...]
    super_admins: tuple[str, ...]
    renew_first: bool
    has_pending_commit: bool
    cursor: Count
    failed_installations: tuple[bytes, ...] = ()


class XmtpConversationIds(Message, frozen=True, tag="xmtp-conversation-ids"):
    """Group ids. ``key_package``: SHA-256 of the key package that others should find at the node; nothing if it is
    time to make another, because a welcome has used the newest, or it is 30 days old.
    """

    group_ids: tuple[GroupId, ...]
    key_package: Bytes32 | None = None


class XmtpOutgoing(Message, frozen=True, tag="xmtp-outgoing"):
    """A message for the node (an MLSMessage). Of content also the message's id, and the message sealed for
    the host's own database.
    """

    message: bytes
    message_id: bytes = b""
    sealed: bytes = b""


class XmtpEvent(Message, frozen=True, tag="xmtp-event"):
    """What a message brought. ``kind``: ``message`` (content and its sender), ``change`` (a ``GroupUpdated``
    in ``content``, protobuf; empty when members see nothing), ``nothing``.

    ``sealed``: the message for the host's database, readable by ``XmtpOpenHistory``. ``welcomes``: what our
    own commit owes, WelcomeMessageInputs for the node. ``lost``: our own commit was overtaken.
    """

    kind: str
    sender: XmtpMember | None = None
    message_id: bytes = b""
    content: bytes = b""
    sealed: bytes = b""
    welcomes: tuple[bytes, ...] = ()
    own: bool = False
    removed_us: bool = False
    lost: bool = False


class XmtpEvents(Message, frozen=True, tag="xmtp-events"):
    """What the first messages of a page brought, in their order, at least one; ``XmtpRefused`` of a message
    that breaks a rule. Ask again for those behind them.
    """

    events: tuple[XmtpEvent | XmtpRefused, ...]


class XmtpHistoryMessage(Message, frozen=True, tag="xmtp-history-message"):
    """A message of the history."""

    message_id: bytes
    sender: XmtpMember
    sent_ns: Count
    content: bytes


class XmtpHistory(Message, frozen=True, tag="xmtp-history"):
    """In the order of the request."""

    messages: tuple[XmtpHistoryMessage, ...]
