"""The installations' conversations between two requests: sealed in the store, opened in memory.

Every change is on disk before its result leaves, so no MLS key is used twice whatever the host does with the
process. What is in memory is dropped when a change could not be written.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from xmtp_tee.enclave.member.installation import (
    Installation,
    decode_installation,
    encode_installation,
)
from xmtp_tee.enclave.member.key_packages import (
    KeyPackages,
    decode_key_packages,
    encode_key_packages,
)
from xmtp_tee.enclave.member.last_page import LastPage
from xmtp_tee.mls.crypto import SignatureKey
from xmtp_tee.mls.wiping import wipe
from xmtp_tee.wire.refusals import XmtpNotFoundError
from xmtp_tee.xmtp.conversation import Conversation
from xmtp_tee.xmtp.identity_logs import IdentityLogs

if TYPE_CHECKING:
    from xmtp_tee.enclave.draft import Draft
    from xmtp_tee.enclave.operations.call import Call
    from xmtp_tee.enclave.records import KeyRecord

MAX_OPEN: Final = 256
"""Conversations that stay open in memory, and installations whose logs do."""


class Rooms:
    """Opened conversations, and the identity logs that were verified since the start."""

    def __init__(self) -> None:
        self._logs: OrderedDict[str, IdentityLogs] = OrderedDict()
        self._open: OrderedDict[tuple[str, bytes], Conversation] = OrderedDict()

    # --- installations ----------------------------------------------------------------------------

    def installation(self, call: Call, record: KeyRecord) -> Installation:
        """Return an installation's own record.

        :raises XmtpNotFoundError: the key has not been made an installation yet
        """
        found = self.installation_or_none(call, record)
        if found is None:
            raise XmtpNotFoundError("The key is no XMTP installation yet", got=record.id)
        return found

    def installation_or_none(self, call: Call, record: KeyRecord) -> Installation | None:
        """Return an installation's own record, if it has one."""
        data = call.store.document(_installation_name(record))
        return None if data is None else decode_installation(data)

    def put_installation(self, draft: Draft, record: KeyRecord, installation: Installation) -> None:
        """Have a change of the store carry an installation's record."""
        draft.put_document(_installation_name(record), encode_installation(installation))

    @contextmanager
    def key_packages(self, call: Call, record: KeyRecord) -> Iterator[KeyPackages]:
        """Lend an installation's key packages; their private keys are overwritten at the end."""
        data = call.store.document(_packages_name(record))
        packages = KeyPackages() if data is None else decode_key_packages(data)
        if data is not None:
            wipe(data)
        try:
            yield packages
        finally:
            packages.wipe()

    def put_key_packages(self, draft: Draft, record: KeyRecord, packages: KeyPackages) -> None:
        """Have a change of the store carry an installation's key packages."""
        encoded = encode_key_packages(packages)
        try:
            draft.put_document(_packages_name(record), encoded)
        finally:
            wipe(encoded)

    def remove(self, call: Call, draft: Draft, record: KeyRecord) -> None:
        """Have a change of the store remove everything that an installation has, and drop it from memory."""
        self._logs.pop(record.id, None)
        installation = self.installation_or_none(call, record)
        if installation is None:
            return
        for group_id, _ in installation.groups:
            draft.put_document(_group_name(record, group_id), None)
            if self.last_page(call, record, group_id) is not None:
                draft.put_document(_page_name(record, group_id), None)
            self._open.pop((record.id, group_id), None)
        draft.put_document(_packages_name(record), None)
        draft.put_document(_installation_name(record), None)

    def logs(self, record: KeyRecord) -> IdentityLogs:
        """Return the identity logs that were verified for an installation since the start: its own, because
        who brings them chooses the sequence ids.
        """
        found = self._logs.setdefault(record.id, IdentityLogs())
        self._logs.move_to_end(record.id)
        while len(self._logs) > MAX_OPEN:
            self._logs.popitem(last=False)
        return found

    # --- conversations ----------------------------------------------------------------------------

    def key(self, call: Call, record: KeyRecord) -> SignatureKey:
        """Return the installation's key, for MLS alone."""
        with call.secret(record) as seed:
            return SignatureKey(seed)

    def conversation(self, call: Call, record: KeyRecord, group_id: bytes) -> Conversation:
        """Return a conversation, from memory or from its seal.

        :raises XmtpNotFoundError: the installation has no such conversation
        """
        name = (record.id, group_id)
        if not call.store.shared and name in self._open:
            self._open.move_to_end(name)
            return self._open[name]
        data = call.store.document(_group_name(record, group_id))
        if data is None:
            raise XmtpNotFoundError("The installation has no such conversation", got=group_id.hex())
        # The store vouches that this is the newest state, so its own counter is the least one.
        try:
            conversation = Conversation.restore(data, self.key(call, record), least_counter=0)
        finally:
            wipe(data)
        self._remember(name, conversation)
        return conversation

    @contextmanager
    def changed(self, call: Call, record: KeyRecord, conversation: Conversation) -> Iterator[Draft]:
        """Write a conversation's new state, with whatever else the block adds to the change."""
        with self.whole_or_not(record, conversation.id), call.mutation() as draft:
            yield draft
            state = conversation.save()
            try:
                draft.put_document(_group_name(record, conversation.id), state)
            finally:
                wipe(state)
        self._remember((record.id, conversation.id), conversation)

    @contextmanager
    def whole_or_not(self, record: KeyRecord, group_id: bytes) -> Iterator[None]:
        """Drop a conversation from memory if the block fails: what it became must not be used."""
        try:
            yield
        except BaseException:
            self._open.pop((record.id, group_id), None)
            raise

    def last_page(self, call: Call, record: KeyRecord, group_id: bytes) -> LastPage | None:
        """Return the answers to a conversation's last page, if one was read."""
        data = call.store.document(_page_name(record, group_id))
        return None if data is None else LastPage.decode(data)

    def put_last_page(
        self, draft: Draft, record: KeyRecord, group_id: bytes, page: LastPage
    ) -> None:
        """Have a change of the store carry the answers to a conversation's last page."""
        draft.put_document(_page_name(record, group_id), page.encode())

    def _remember(self, name: tuple[str, bytes], conversation: Conversation) -> None:
        self._open[name] = conversation
        self._open.move_to_end(name)
        while len(self._open) > MAX_OPEN:
            self._open.popitem(last=False)


def _installation_name(record: KeyRecord) -> str:
    return f"xmtp/{record.id}"


def _packages_name(record: KeyRecord) -> str:
    return f"xmtp/{record.id}/key-packages"


def _group_name(record: KeyRecord, group_id: bytes) -> str:
    # Group ids have at most 32 bytes on the wire (XMTP's have 16), so a name has at most 102 characters.
    return f"xmtp/{record.id}/{group_id.hex()}"


def _page_name(record: KeyRecord, group_id: bytes) -> str:
    return f"xmtp/{record.id}/{group_id.hex()}/page"
