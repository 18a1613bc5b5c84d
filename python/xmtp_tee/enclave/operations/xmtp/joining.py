"""What the network says: inboxes' logs, and welcomes."""

from __future__ import annotations

from xmtp_tee.enclave.member.key_packages import KeyPackages
from xmtp_tee.enclave.operations.call import Call
from xmtp_tee.enclave.operations.xmtp.common import Answer, installation_of, judged, view
from xmtp_tee.enclave.purposes import KeyOperation
from xmtp_tee.wire import messages as wire
from xmtp_tee.xmtp.conversation import Conversation
from xmtp_tee.xmtp.errors import WelcomeInvalidError
from xmtp_tee.xmtp.identity_logs import LogEntry
from xmtp_tee.xmtp.key_packages import InstallationKeyPackage
from xmtp_tee.xmtp.proto.groups import WelcomeV1Pointer
from xmtp_tee.xmtp.proto.mls_api import WelcomeMessage, WelcomePointer, WelcomeWrapperAlgorithm
from xmtp_tee.xmtp.welcome import OpenedWelcome, WrappedWelcome, follow, unwrap, unwrap_pointer


def learn(call: Call, operation: wire.XmtpLearn) -> Answer[wire.XmtpLearned]:
    """Verify entries of an inbox's log."""
    logs = call.parts.rooms.logs(call.active(operation.identity_key_id, KeyOperation.MLS))

    def answer() -> wire.XmtpLearned:
        entries = [LogEntry(each.sequence_id, each.update) for each in operation.entries]
        logs.extend(operation.inbox_id, entries, after=operation.after)
        newest = logs.newest(operation.inbox_id)
        if not newest:
            return wire.XmtpLearned(newest=0, installations=())
        inbox = logs.latest(operation.inbox_id)
        return wire.XmtpLearned(
            newest=newest, installations=inbox.installations, wallets=inbox.wallets
        )

    return judged(answer)


def find_welcome(call: Call, operation: wire.XmtpFindWelcome) -> Answer[wire.XmtpDestination]:
    """Say where a welcome lies."""
    record, _ = installation_of(call, operation.identity_key_id)

    def answer() -> wire.XmtpDestination:
        message = WelcomeMessage.decode(operation.welcome)
        if message.welcome_pointer is None:
            return wire.XmtpDestination(topic=None)
        with call.parts.rooms.key_packages(call, record) as packages:
            return wire.XmtpDestination(
                topic=_pointer(packages, message.welcome_pointer, call.now).destination
            )

    return judged(answer)


def join(call: Call, operation: wire.XmtpJoin) -> Answer[wire.XmtpConversation]:
    """Join the group of a welcome."""
    record, installation = installation_of(call, operation.identity_key_id)
    rooms = call.parts.rooms

    def answer() -> wire.XmtpConversation:
        message = WelcomeMessage.decode(operation.welcome)
        with rooms.key_packages(call, record) as packages:
            package, opened = _opened(packages, message, operation.pointed, call.now)
            conversation = Conversation.join(
                opened.welcome, package, rooms.key(call, record), rooms.logs(record).at, call.now
            )
            if conversation.id in dict(installation.groups):
                _require_behind(rooms.conversation(call, record, conversation.id), conversation)
            joined = installation.with_group(conversation.id, opened.message_cursor or 0)
            kept = packages.with_used(package).without_old(call.now)
            with rooms.changed(call, record, conversation) as draft:
                rooms.put_installation(draft, record, joined)
                rooms.put_key_packages(draft, record, kept)
        return view(conversation, joined)

    return judged(answer)


def _require_behind(left: Conversation, joined: Conversation) -> None:
    """Refuse to join anew a group that no commit has removed us from, or by a welcome of before that: keys of that
    epoch have been used. Refuse another conversation, of another type or creator, under its id.

    :raises WelcomeInvalidError: if so
    """
    if not left.was_removed:
        raise WelcomeInvalidError("The installation is in this group already", got=left.id.hex())
    if joined.epoch <= left.epoch:
        raise WelcomeInvalidError(
            "A welcome is of before the installation left the group",
            got=f"epoch {joined.epoch}",
            expected=f"more than {left.epoch}",
        )
    was, is_now = left.state, joined.state
    if (was.conversation_type, was.creator, was.dm_members) != (
        is_now.conversation_type,
        is_now.creator,
        is_now.dm_members,
    ):
        raise WelcomeInvalidError(
            "A welcome leads to another conversation under the id of one that was left",
            got=left.id.hex(),
        )


def _opened(
    packages: KeyPackages, message: WelcomeMessage, pointed: bytes | None, now: int
) -> tuple[InstallationKeyPackage, OpenedWelcome]:
    """Return the key package that was used, and the opened welcome."""
    if message.welcome_pointer is not None:
        package = _package(packages, message.welcome_pointer.hpke_public_key, now)
        pointer = _pointer(packages, message.welcome_pointer, now)
        lying = None if pointed is None else WelcomeMessage.decode(pointed).v1
        if lying is None or lying.installation_key != pointer.destination:
            raise WelcomeInvalidError("The welcome that a pointer leads to is missing")
        return package, follow(pointer, WrappedWelcome(lying.data, lying.welcome_metadata))
    if message.v1 is None:
        raise WelcomeInvalidError("A welcome of an unknown version")
    algorithm = _algorithm(message.v1.wrapper_algorithm)
    package = _package(packages, message.v1.hpke_public_key, now)
    wrapped = WrappedWelcome(message.v1.data, message.v1.welcome_metadata)
    return package, unwrap(wrapped, package.wrapper_key(algorithm), algorithm)


def _pointer(packages: KeyPackages, sealed: WelcomePointer, now: int) -> WelcomeV1Pointer:
    package = _package(packages, sealed.hpke_public_key, now)
    algorithm = _algorithm(sealed.wrapper_algorithm)
    return unwrap_pointer(sealed.welcome_pointer, package.wrapper_key(algorithm), algorithm)


def _package(packages: KeyPackages, public_key: bytes, now: int) -> InstallationKeyPackage:
    package = packages.named_by(public_key, now)
    if package is None:
        raise WelcomeInvalidError("A welcome names a key package that is gone")
    return package


def _algorithm(number: int) -> WelcomeWrapperAlgorithm:
    try:
        return WelcomeWrapperAlgorithm(number or WelcomeWrapperAlgorithm.CURVE25519)
    except ValueError:
        raise WelcomeInvalidError("A welcome is wrapped in an unknown way", got=number) from None
