"""What a member wants to commit."""

from __future__ import annotations

from dataclasses import dataclass

from xmtp_tee.mls.extensions import Extensions
from xmtp_tee.mls.key_package import KeyPackage
from xmtp_tee.mls.proposals import AppDataUpdate, ReInit
from xmtp_tee.mls.psk import PskId


@dataclass(frozen=True)
class CommitIntent:
    """A commit's proposals by value, and its form. Empty: renew our own keys."""

    add: tuple[KeyPackage, ...] = ()
    remove: tuple[int, ...] = ()
    """Leaf indices."""
    extensions: Extensions | None = None
    """All the group context's new extensions, or None to leave them."""
    app_data: tuple[AppDataUpdate, ...] = ()
    psks: tuple[PskId, ...] = ()
    reinit: ReInit | None = None
    with_pending: bool = True
    """Whether the proposals that were received go in, by reference."""
    path: bool = True
    """Whether our own keys are renewed even where the proposals do not demand it."""
    leaf_extensions: Extensions | None = None
    """Our leaf's new extensions, or None to leave them."""
    authenticated_data: bytes = b""
    tree_in_welcome: bool = True
    """Whether newcomers get the tree in the welcome, and not in another way."""


@dataclass(frozen=True)
class CommitMessages:
    """A commit and the welcome of those whom it adds: both wait until the commit has won."""

    epoch: int
    commit: bytes
    welcome: bytes | None
