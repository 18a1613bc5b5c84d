"""The life of a key after its birth; every operation answers with the ``Key`` as it is then."""

from __future__ import annotations

from xmtp_tee.wire.messages.base import Count, KeyId, Message, OptionalLabel, Positive
from xmtp_tee.wire.messages.keys import Limits


class RotateKey(Message, frozen=True, tag="rotate-key"):
    """Make the key's next version. Older ones still open, check and agree, down to the minimum."""

    key_id: KeyId


class SetMinimumVersion(Message, frozen=True, tag="set-minimum-version"):
    """Refuse versions below this one; never above the current, never down."""

    key_id: KeyId
    version: Positive


class TrimKey(Message, frozen=True, tag="trim-key"):
    """Destroy the private halves of all versions below the minimum."""

    key_id: KeyId


class DeleteKey(Message, frozen=True, tag="delete-key"):
    """Take the key out of use. ``waiting``: seconds before it can be destroyed, by default the
    policy's minimum.
    """

    key_id: KeyId
    waiting: Count | None = None


class RestoreKey(Message, frozen=True, tag="restore-key"):
    """Put a deleted key back into use."""

    key_id: KeyId


class DestroyKey(Message, frozen=True, tag="destroy-key"):
    """Destroy a deleted key's private half for ever, once its waiting time is over."""

    key_id: KeyId


class UpdateKey(Message, frozen=True, tag="update-key"):
    """Give the key another label, other limits, or both."""

    key_id: KeyId
    label: OptionalLabel | None = None
    limits: Limits | None = None
