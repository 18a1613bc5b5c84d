"""What the XMTP member's operations share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias, TypeVar

from xmtp_tee.enclave.member.installation import Installation
from xmtp_tee.enclave.operations.call import Call
from xmtp_tee.enclave.purposes import KeyOperation
from xmtp_tee.enclave.records import KeyRecord
from xmtp_tee.enclave.wiping import wiped
from xmtp_tee.errors import XmtpTeeError
from xmtp_tee.mls.errors import MlsError
from xmtp_tee.wire import messages as wire
from xmtp_tee.xmtp.commit_rules import Participant
from xmtp_tee.xmtp.conversation import Conversation
from xmtp_tee.xmtp.errors import IdentityLogMissingError, XmtpDataError

R = TypeVar("R", bound=wire.Message)
Answer: TypeAlias = R | wire.XmtpNeedsLog | wire.XmtpRefused

NANOSECONDS: Final = 1_000_000_000


def installation_of(call: Call, identity_key_id: str) -> tuple[KeyRecord, Installation]:
    """Return the key of an installation, for one use, and the installation's own record.

    :raises XmtpNotFoundError: the key has not been made an installation yet
    """
    record = call.use(identity_key_id, KeyOperation.MLS)
    return record, call.parts.rooms.installation(call, record)


def judged(answer: Callable[[], R]) -> R | wire.XmtpNeedsLog | wire.XmtpRefused:
    """Turn what the network's data may cause into answers."""
    try:
        return answer()
    except IdentityLogMissingError as error:
        return needs_log(error)
    except (MlsError, XmtpDataError) as error:
        return refused(error)


def needs_log(error: IdentityLogMissingError) -> wire.XmtpNeedsLog:
    """Say which log is needed."""
    return wire.XmtpNeedsLog(inbox_id=error.inbox_id, known=error.known, needed=error.needed)


def refused(error: XmtpTeeError) -> wire.XmtpRefused:
    """Say which rule was broken."""
    return wire.XmtpRefused(code=error.code[:64], message=str(error)[:500])


def view(conversation: Conversation, installation: Installation) -> wire.XmtpConversation:
    """Return what the application sees of a conversation."""
    state = conversation.state
    others = [i for i in state.dm_members or () if i != installation.inbox_id]
    impostors = conversation.impostors
    return wire.XmtpConversation(
        group_id=conversation.id,
        epoch=conversation.epoch,
        is_active=conversation.is_active,
        dm_with=others[0] if others else None,
        name=state.name,
        description=state.attributes.get("description", ""),
        creator=state.creator,
        members=tuple(
            wire.XmtpMember(
                inbox_id=each.inbox_id,
                installation=each.installation,
                belongs=each not in impostors,
            )
            for each in conversation.members
        ),
        admins=state.admins,
        super_admins=state.super_admins,
        renew_first=conversation.renew_first,
        has_pending_commit=conversation.has_pending_commit,
        cursor=installation.cursor_of(conversation.id),
        failed_installations=tuple(sorted(state.membership.failed_installations)),
    )


def member_of(participant: Participant) -> wire.XmtpMember:
    """Return a participant as it travels."""
    return wire.XmtpMember(inbox_id=participant.inbox_id, installation=participant.installation)


def random_bytes(call: Call, size: int) -> bytes:
    """Return unpredictable bytes."""
    return entropy_of(call)(size)


def entropy_of(call: Call) -> Callable[[int], bytes]:
    """Return the enclave's source of randomness in the form that MLS takes."""

    def take(size: int) -> bytes:
        with wiped(bytearray(size)) as buffer:
            call.parts.entropy(buffer)
            return bytes(buffer)

    return take
