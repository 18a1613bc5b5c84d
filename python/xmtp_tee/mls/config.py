"""What the application decides: whom it believes, how far it goes, what components mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from xmtp_tee.mls.credentials import BasicCredential, Credential
from xmtp_tee.mls.errors import CredentialRefusedError
from xmtp_tee.mls.extensions import ExternalSender
from xmtp_tee.mls.leaf_node import LeafNode


class IdentityPolicy(Protocol):
    """The authentication service (RFC 9420, section 5.3.1). Refusing means raising
    CredentialRefusedError.
    """

    def check_leaf(self, leaf: LeafNode) -> None:
        """Refuse a leaf whose credential is not its signature key's holder's."""

    def check_successor(self, old: LeafNode, new: LeafNode) -> None:
        """Refuse a new leaf in a member's place that is not the same member's."""

    def check_external_sender(self, sender: ExternalSender) -> None:
        """Refuse an external sender."""

    def client(self, leaf: LeafNode) -> bytes:
        """Return what tells clients apart: a client may be a member once."""


class BasicIdentities:
    """Believes every basic credential; a successor must have the same one; clients are told apart
    by their signature keys.

    WARNING: this proves nothing about identities. XMTP's layer brings its own policy.
    """

    def check_leaf(self, leaf: LeafNode) -> None:
        """Refuse anything but a basic credential."""
        self._require_basic(leaf.credential)

    def check_successor(self, old: LeafNode, new: LeafNode) -> None:
        """Refuse another credential."""
        if old.credential != new.credential:
            raise CredentialRefusedError("A member's credential changes")

    def check_external_sender(self, sender: ExternalSender) -> None:
        """Refuse anything but a basic credential."""
        self._require_basic(sender.credential)

    def client(self, leaf: LeafNode) -> bytes:
        """Return the signature key."""
        return leaf.signature_key

    @staticmethod
    def _require_basic(credential: Credential) -> None:
        if not isinstance(credential, BasicCredential):
            raise CredentialRefusedError(
                "The credential's type is not accepted", got=credential.type.name, expected="BASIC"
            )


ComponentUpdate = Callable[[bytes | None, bytes], bytes]
"""Returns a component's new data from its old data (None: there is none) and an update; raises an
MlsError to refuse.
"""


def _identities() -> IdentityPolicy:
    return BasicIdentities()


@dataclass(frozen=True)
class Config:
    """The limits and policies of a member. The defaults are XMTP's, where XMTP has any."""

    identities: IdentityPolicy = field(default_factory=_identities)
    components: Mapping[int, ComponentUpdate] = field(default_factory=dict)
    """What AppDataUpdate means, by component id. A component that is not here is refused."""
    max_past_epochs: int = 3
    """So many past epochs' application messages can still be read."""
    max_ahead: int = 1000
    """So many messages of a sender may be skipped."""
    max_skipped: int = 1000
    """So many keys of skipped messages are kept of an epoch, of all its senders."""
    max_resumption_epochs: int = 8
    """So many past epochs' resumption secrets are kept."""
    max_proposals: int = 1024
    """So many proposals may be in one commit."""
    max_kept_proposals: int = 1024
    """So many proposals of an epoch are kept for a commit."""
    max_kept_bytes: int = 8 << 20
    """Bytes of all proposals of an epoch that are kept for a commit."""
    max_message: int = 8 << 20
    """Bytes of the longest message, welcome, tree or group info that is read."""
    private_handshake: bool = True
    """Whether our own proposals and commits are encrypted."""
    accept_public_handshake: bool = True
    """Whether members' proposals and commits may come in clear."""
    accept_newcomers_proposals: bool = True
    """Whether who is no member may propose its own add (section 12.1.8)."""
    send_with_pending_proposals: bool = False
    """Whether application data may be sent before pending proposals are committed."""
    check_tree_lifetimes: bool = False
    """Whether leaves of a tree that we join must be within their lifetimes: a member whose key
    package has expired since stays a member.
    """
