"""One group as this host holds it: what the enclave last said of it, and the ways to the enclave and to the node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from xmtp_tee.client.xmtp.errors import ConversationError
from xmtp_tee.client.xmtp.models import ConversationInfo
from xmtp_tee.wire import messages as wire
from xmtp_tee.xmtp.proto.mls_api import GroupMessageInputV1

if TYPE_CHECKING:
    from xmtp_tee.client.xmtp.client import XmtpClient

M = TypeVar("M", bound=wire.Message)
R = TypeVar("R", bound=wire.Message)


class Room:
    """``info`` is as of the last :meth:`look`."""

    def __init__(self, client: XmtpClient, info: ConversationInfo) -> None:
        self.client: Final = client
        self.info = info

    @property
    def id(self) -> bytes:
        """The group's id."""
        return self.info.id

    def about(self, kind: type[M], **fields: Any) -> M:
        """Return an operation of our installation on this group."""
        return kind(identity_key_id=self.client.member.key_id, group_id=self.id, **fields)

    async def ask(self, operation: wire.Message, expected: type[R]) -> R:
        """Have the enclave carry out an operation; see ``Member.ask``."""
        return await self.client.member.ask(operation, expected)

    async def look(self) -> wire.XmtpConversation:
        """Take over what the enclave says of the group now."""
        found = await self.ask(self.about(wire.XmtpGetConversation), wire.XmtpConversation)
        self.info = ConversationInfo.from_wire(found)
        return found

    async def publish(self, message: bytes) -> None:
        """Append a message to the group's topic at the node."""
        await self.client.member.node.send_group_messages([GroupMessageInputV1(data=message)])

    def require_active(self) -> None:
        """Refuse work in a group that is over for us.

        :raises ConversationError: it is
        """
        if not self.info.is_active:
            raise ConversationError(
                "We are no member of this conversation any more, or were left behind in it"
            )
