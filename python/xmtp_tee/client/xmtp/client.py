"""An XMTP client whose keys never leave the enclave.

async with await create_client(key_manager, address, node_url=url, database=path) as client:
    dm = await client.conversations.new_dm("0x…")
    await dm.send("hello")
    async for message in client.stream():
        print(message.text)
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Final, Protocol, Self

from xmtp_tee.attestation.address import checksum_address, parse_address
from xmtp_tee.client.xmtp.conversation import Conversation
from xmtp_tee.client.xmtp.database import Database
from xmtp_tee.client.xmtp.errors import ONE_ITEMS_FAULT, ConversationError
from xmtp_tee.client.xmtp.member import Member as EnclaveMember
from xmtp_tee.client.xmtp.models import (
    Consent,
    ConversationInfo,
    Member,
    Message,
    PeerStanding,
)
from xmtp_tee.client.xmtp.node_api import welcome_id
from xmtp_tee.client.xmtp.streams import stream_messages
from xmtp_tee.errors import XmtpTeeError
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.refusals import CallerNotAllowedError
from xmtp_tee.xmtp.proto.mls_api import WelcomeMessage

log = logging.getLogger("xmtp_tee.client.xmtp")


class PeerRegistry(Protocol):
    """Who says which installations live in enclaves: the registry on chain."""

    def standings(self, addresses: Sequence[str]) -> dict[str, dict[bytes, str]]:
        """Return, by checksummed address, each published identity key's standing; ``trusted`` is trust."""
        ...


class Conversations:
    """The client's conversations. Not made by hand."""

    def __init__(self, client: XmtpClient) -> None:
        self._client = client
        self._known: dict[bytes, Conversation] = {}
        self._reading = asyncio.Lock()

    async def new_dm(self, peer: str) -> Conversation:
        """Return the direct message with a peer (wallet address or inbox id), created if there is none.

        :raises ConversationError: the peer is not on the network
        """
        [inbox] = await self._client.inboxes_of([peer])
        if inbox == self._client.inbox_id:
            raise ConversationError("A direct message needs a peer", got=peer)
        for conversation in await self.list():
            if conversation.info.dm_with == inbox and conversation.info.is_active:
                return conversation
        return await self._create([inbox], dm_with=inbox)

    async def new_group(
        self,
        members: Sequence[str],
        *,
        name: str = "",
        description: str = "",
        admins_only: bool = False,
    ) -> Conversation:
        """Create a group with these members (wallet addresses or inbox ids).

        :raises ConversationError: a member is not on the network
        """
        inboxes = await self._client.inboxes_of(members)
        return await self._create(
            [inbox for inbox in inboxes if inbox != self._client.inbox_id],
            name=name,
            description=description,
            admins_only=admins_only,
        )

    async def list(self, consent: Consent | None = None) -> list[Conversation]:
        """Return the conversations, in the order of joining."""
        ids = await self._client.member.ask(
            wire.XmtpListConversations(identity_key_id=self._client.member.key_id),
            wire.XmtpConversationIds,
        )
        found = [await self.get(group_id) for group_id in ids.group_ids]
        return [each for each in found if consent is None or each.consent is consent]

    async def get(self, conversation_id: bytes) -> Conversation:
        """Return a conversation by its id."""
        if conversation_id not in self._known:
            shown = await self._client.member.ask(
                wire.XmtpGetConversation(
                    identity_key_id=self._client.member.key_id, group_id=conversation_id
                ),
                wire.XmtpConversation,
            )
            self._adopt(shown)
        return self._known[conversation_id]

    async def sync(self) -> Sequence[Conversation]:
        """Read new welcomes; return the conversations that they lead to."""
        client = self._client
        async with self._reading:
            welcomes = await client.member.node.welcomes(
                client.installation_id, client.database.cursor(client.installation_id)
            )
            joined = [await self._take(welcome) for welcome in welcomes]
        if welcomes:
            await client.renew_key_package()
        return [conversation for conversation in joined if conversation is not None]

    async def sync_all(self) -> Sequence[Message]:
        """Read new welcomes, and what is new in every conversation; return others' new messages."""
        await self.sync()
        found: list[Message] = []
        for conversation in await self.list():
            found += await conversation.sync()
        return found

    async def _take(self, welcome: WelcomeMessage) -> Conversation | None:
        """Join by a welcome; None if it leads nowhere."""
        client, number = self._client, welcome_id(welcome)
        try:
            conversation = self._adopt(await self._join(welcome))
        except ONE_ITEMS_FAULT as error:
            client.note_refusal(client.installation_id, number, error)
            conversation = None
        client.database.advance(client.installation_id, number)
        return conversation

    async def _join(self, welcome: WelcomeMessage) -> wire.XmtpConversation:
        member, pointed = self._client.member, None
        if welcome.welcome_pointer is not None:
            destination = await member.ask(
                wire.XmtpFindWelcome(identity_key_id=member.key_id, welcome=welcome.encode()),
                wire.XmtpDestination,
            )
            lying = await member.node.welcomes(destination.topic or b"", 0)
            pointed = lying[0].encode() if lying else None
        return await member.ask(
            wire.XmtpJoin(identity_key_id=member.key_id, welcome=welcome.encode(), pointed=pointed),
            wire.XmtpConversation,
        )

    async def _create(
        self,
        inboxes: Sequence[str],
        *,
        dm_with: str | None = None,
        name: str = "",
        description: str = "",
        admins_only: bool = False,
    ) -> Conversation:
        await self._client.member.learn([self._client.inbox_id])
        made = await self._client.member.ask(
            wire.XmtpCreate(
                identity_key_id=self._client.member.key_id,
                dm_with=dm_with,
                name=name,
                description=description,
                admins_only=admins_only,
            ),
            wire.XmtpConversation,
        )
        conversation = self._adopt(made)
        conversation.set_consent(Consent.ALLOWED)
        await conversation.add_members(inboxes)
        self._client.announce()
        return conversation

    def _adopt(self, shown: wire.XmtpConversation) -> Conversation:
        self._client.joined(shown)
        info = ConversationInfo.from_wire(shown)
        if shown.group_id in self._known:
            self._known[shown.group_id].look(info)
        else:
            self._known[shown.group_id] = Conversation(self._client, info)
        return self._known[shown.group_id]


class XmtpClient:
    """One installation, in one event loop. Made by :func:`xmtp_tee.client.xmtp.create_client`.

    An async context manager: closing hangs up; keys, installation and conversations stay in the enclave.
    """

    def __init__(
        self,
        member: EnclaveMember,
        inbox_id: str,
        installation_id: bytes,
        address: bytes,
        wallet_key_id: str,
        database: Database,
        registry: PeerRegistry | None = None,
    ) -> None:
        self.member: Final = member
        self.inbox_id: Final = inbox_id
        self.installation_id: Final = installation_id
        self.database: Final = database
        self.conversations: Final = Conversations(self)
        self._address = address
        self._wallet_key_id = wallet_key_id
        self._registry = registry
        self._joined: dict[bytes, int] = {}
        self._listeners: list[Callable[[Message], None]] = []
        self.changes: list[asyncio.Event] = []
        self.refusals: list[tuple[bytes, int, XmtpTeeError]] = []

    def __repr__(self) -> str:
        return f"<XmtpClient {self.address}, installation {self.installation_id.hex()[:16]}…>"

    @property
    def address(self) -> str:
        """The wallet's address."""
        return checksum_address(self._address)

    async def close(self) -> None:
        """Hang up."""
        await self.member.node.close()
        self.database.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    # --- messages ---------------------------------------------------------------------------------

    def stream(self) -> AsyncIterator[Message]:
        """Yield others' messages of every conversation: what is new, and then what comes. New conversations
        are joined on the way. Lost connections are taken up again; nothing is skipped.
        """
        return stream_messages(self)

    # --- installations ----------------------------------------------------------------------------

    async def installations(self) -> tuple[bytes, ...]:
        """Return the inbox's installations: their Ed25519 public keys."""
        learned = await self.member.learn([self.inbox_id])
        return learned[self.inbox_id].installations

    async def revoke_installations(self, installations: Sequence[bytes]) -> None:
        """Revoke installations of the inbox; the policy must allow the wallet key to.

        :raises SigningRefusedError: it does not
        """
        update = await self.member.ask(
            wire.XmtpRevoke(
                wallet_key_id=self._wallet_key_id,
                identity_key_id=self.member.key_id,
                installations=tuple(installations),
            ),
            wire.XmtpIdentityUpdate,
        )
        await self.member.node.publish_identity_update(update.identity_update)

    async def keep_key_package(self) -> None:
        """Upload a new key package if the node has another than the enclave's newest, or if it is time: it is
        30 days old, or a welcome has used it. A caller who may not make key packages leaves that to one who may.
        """
        held = await self.member.ask(
            wire.XmtpListConversations(identity_key_id=self.member.key_id),
            wire.XmtpConversationIds,
        )
        [published] = await self.member.node.key_packages([self.installation_id])
        if held.key_package is None or _digest(published) != held.key_package:
            try:
                await self.renew_key_package()
            except CallerNotAllowedError as error:
                log.warning("the key package is not renewed: %s", error)

    async def renew_key_package(self) -> None:
        """Upload a new key package; welcomes to the one before it still open for a day."""
        package = await self.member.ask(
            wire.XmtpNewKeyPackage(identity_key_id=self.member.key_id), wire.XmtpKeyPackage
        )
        await self.member.node.upload_key_package(package.key_package)

    # --- peers ------------------------------------------------------------------------------------

    async def inboxes_of(self, peers: Sequence[str]) -> tuple[str, ...]:
        """Return the inbox ids of peers given by wallet address or inbox id.

        :raises ConversationError: an address has no inbox
        """
        addresses = {
            peer: "0x" + parse_address(peer).hex() for peer in peers if peer.startswith("0x")
        }
        found = await self.member.node.inbox_ids(list(addresses.values()))
        by_peer = dict(zip(addresses, found, strict=True))
        for peer, inbox in by_peer.items():
            if inbox is None:
                raise ConversationError("The address is not on the XMTP network", got=peer)
        return tuple(dict.fromkeys(by_peer.get(peer) or peer for peer in peers))

    async def standing_of(self, members: Sequence[Member]) -> list[PeerStanding]:
        """Return whether the registry vouches for each installation's enclave, and if not, why not."""
        if self._registry is None:
            return [
                PeerStanding(member, attested=False, reason="not checked: no registry is given")
                for member in members
            ]
        learned = await self.member.learn([each.inbox_id for each in members if each.belongs])
        wallets = {
            inbox: [checksum_address(wallet) for wallet in each.wallets]
            for inbox, each in learned.items()
        }
        published = self._registry.standings(
            list(dict.fromkeys(w for each in wallets.values() for w in each))
        )
        return [
            _standing(member, wallets.get(member.inbox_id, []), published) for member in members
        ]

    # --- for the conversations --------------------------------------------------------------------

    def joined(self, shown: wire.XmtpConversation) -> None:
        """Note from which id on a conversation can be read."""
        self._joined[shown.group_id] = shown.cursor

    def joined_at(self, group_id: bytes) -> int:
        """Return the id after which a conversation can be read."""
        return self._joined.get(group_id, 0)

    def announce(self) -> None:
        """Tell the streams that there is one more conversation."""
        for changed in self.changes:
            changed.set()

    def listen(self, listener: Callable[[Message], None]) -> Callable[[], None]:
        """Have every message of others handed to a listener, whatever read it; return how to stop that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def show(self, message: Message) -> None:
        """Hand a message to the listeners."""
        for listener in self._listeners:
            listener(message)

    def note_refusal(self, topic: bytes, message_id: int, error: XmtpTeeError) -> None:
        """Note what was skipped, and why."""
        log.info("skipped message %d of %s: %s", message_id, topic.hex(), error)
        self.refusals = [*self.refusals[-99:], (topic, message_id, error)]


def _digest(package: bytes | None) -> bytes:
    return hashlib.sha256(package or b"").digest()


def _standing(
    member: Member, wallets: Sequence[str], published: dict[str, dict[bytes, str]]
) -> PeerStanding:
    if not member.belongs:
        return PeerStanding(
            member, attested=False, reason="the inbox that it names does not have this installation"
        )
    found = [
        published[wallet][member.installation_id]
        for wallet in wallets
        if member.installation_id in published.get(wallet, {})
    ]
    if not found:
        return PeerStanding(
            member, attested=False, reason="no wallet of the inbox publishes this installation now"
        )
    best = "trusted" if "trusted" in found else found[0]
    return PeerStanding(member, attested=best == "trusted", reason=best)
