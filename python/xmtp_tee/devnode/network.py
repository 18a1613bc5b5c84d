"""The network's state: inbox logs, key packages, topics. No I/O; time is passed in, in nanoseconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from xmtp_tee.devnode.envelope import read_head, read_signature_key
from xmtp_tee.devnode.errors import (
    InboxLogFullError,
    RequestRefusedError,
    TooManyInstallationsError,
)
from xmtp_tee.devnode.topics import Topics
from xmtp_tee.xmtp.errors import XmtpDataError
from xmtp_tee.xmtp.identity_log import Inbox, apply
from xmtp_tee.xmtp.members import Member
from xmtp_tee.xmtp.proto import identity_api, mls_api
from xmtp_tee.xmtp.proto.identity import IdentityUpdate

MAX_UPDATES: Final = 256
"""Identity updates in an inbox's life."""

MAX_INSTALLATIONS: Final = 10
"""Installations an inbox has at a time."""


@dataclass
class _Log:
    inbox: Inbox | None = None
    entries: list[identity_api.IdentityUpdateLog] = field(default_factory=list)


class Network:
    """Everything that the node knows."""

    def __init__(self) -> None:
        """Start empty."""
        self._next_id = 1
        self._logs: dict[str, _Log] = {}
        self._inbox_of: dict[Member, str] = {}
        self._key_packages: dict[bytes, bytes] = {}
        self.group_messages: Topics[mls_api.GroupMessage] = Topics()
        self.welcomes: Topics[mls_api.WelcomeMessage] = Topics()
        self.commit_log: Topics[mls_api.CommitLogEntry] = Topics()

    # --- identity ---------------------------------------------------------------------------------

    def publish_identity_update(self, encoded: bytes, now_ns: int) -> None:
        """Append an update to its inbox's log.

        :raises InboxLogFullError: the log has its 256 updates
        :raises TooManyInstallationsError: the update would bring in an 11th installation
        :raises RequestRefusedError: the log does not allow the update
        """
        try:
            update = IdentityUpdate.decode(encoded)
            log = self._logs.get(update.inbox_id, _Log())
            if len(log.entries) >= MAX_UPDATES:
                raise InboxLogFullError("inbox log is full", got=f"{MAX_UPDATES} updates")
            inbox = apply(log.inbox, update)
        except XmtpDataError as error:
            raise RequestRefusedError(f"invalid identity update: {error}") from error
        if len(inbox.installations) > MAX_INSTALLATIONS:
            raise TooManyInstallationsError(
                "The inbox would have too many installations",
                got=len(inbox.installations),
                expected=f"at most {MAX_INSTALLATIONS}",
            )
        entry = identity_api.IdentityUpdateLog(
            sequence_id=self._take_id(), server_timestamp_ns=now_ns, update=encoded
        )
        self._logs[inbox.id] = _Log(inbox, [*log.entries, entry])
        for member in set(log.inbox.members if log.inbox else ()) - set(inbox.members):
            if self._inbox_of.get(member) == inbox.id:
                del self._inbox_of[member]
        for member in inbox.identifiers:
            self._inbox_of[member] = inbox.id

    def identity_updates(self, inbox_id: str, after: int) -> list[identity_api.IdentityUpdateLog]:
        """Return a log's entries after a sequence id, oldest first."""
        log = self._logs.get(inbox_id, _Log())
        return [entry for entry in log.entries if entry.sequence_id > after]

    def inbox_id_of(self, identifier: str, kind: int) -> str | None:
        """Return the inbox that a wallet or passkey belongs to."""
        return self._inbox_of.get(Member.of_text(identifier.lower(), kind))

    # --- key packages -----------------------------------------------------------------------------

    def upload_key_package(self, key_package: bytes) -> bytes:
        """Replace an installation's key package; return the installation's id.

        :raises RequestRefusedError: it is no key package of an installation
        """
        installation = read_signature_key(key_package)
        self._key_packages[installation] = key_package
        return installation

    def key_package(self, installation: bytes) -> bytes:
        """Return an installation's key package, empty if it has none."""
        return self._key_packages.get(installation, b"")

    # --- messages ---------------------------------------------------------------------------------

    def send_group_message(
        self, message: mls_api.GroupMessageInputV1, now_ns: int
    ) -> mls_api.GroupMessage:
        """Append a message to its group.

        :raises RequestRefusedError: it is no MLS message of a group
        """
        head = read_head(message.data)
        message_id = self._take_id()
        stored = mls_api.GroupMessage(
            v1=mls_api.GroupMessageV1(
                id=message_id,
                created_ns=now_ns,
                group_id=head.group_id,
                data=message.data,
                sender_hmac=message.sender_hmac,
                should_push=message.should_push,
                is_commit=head.is_commit,
            )
        )
        self.group_messages.append(head.group_id, message_id, stored)
        return stored

    def send_welcome(
        self, welcome: mls_api.WelcomeMessageInput, now_ns: int
    ) -> tuple[bytes, mls_api.WelcomeMessage]:
        """Append a welcome or a welcome pointer; return its topic and what was stored.

        :raises RequestRefusedError: it is neither
        """
        welcome_id = self._take_id()
        if welcome.v1 is not None:
            topic = welcome.v1.installation_key
            stored = mls_api.WelcomeMessage(
                v1=mls_api.WelcomeMessageV1(
                    id=welcome_id,
                    created_ns=now_ns,
                    installation_key=topic,
                    data=welcome.v1.data,
                    hpke_public_key=welcome.v1.hpke_public_key,
                    wrapper_algorithm=welcome.v1.wrapper_algorithm,
                    welcome_metadata=welcome.v1.welcome_metadata,
                )
            )
        elif welcome.welcome_pointer is not None:
            topic = welcome.welcome_pointer.installation_key
            stored = mls_api.WelcomeMessage(
                welcome_pointer=mls_api.WelcomePointer(
                    id=welcome_id,
                    created_ns=now_ns,
                    installation_key=topic,
                    welcome_pointer=welcome.welcome_pointer.welcome_pointer,
                    hpke_public_key=welcome.welcome_pointer.hpke_public_key,
                    wrapper_algorithm=welcome.welcome_pointer.wrapper_algorithm,
                )
            )
        else:
            raise RequestRefusedError("A welcome of an unknown version")
        self.welcomes.append(topic, welcome_id, stored)
        return topic, stored

    def publish_commit_log(self, request: mls_api.PublishCommitLogRequest) -> None:
        """Append what a member says of its commits, unread."""
        entry_id = self._take_id()
        self.commit_log.append(
            request.group_id,
            entry_id,
            mls_api.CommitLogEntry(
                sequence_id=entry_id,
                serialized_commit_log_entry=request.serialized_commit_log_entry,
                signature=request.signature,
            ),
        )

    def _take_id(self) -> int:
        taken = self._next_id
        self._next_id += 1
        return taken
