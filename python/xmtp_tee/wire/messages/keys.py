"""Keys: made, found and listed."""

from __future__ import annotations

from xmtp_tee.wire.limits import MAX_PAGE
from xmtp_tee.wire.messages.base import (
    Address,
    Bytes32,
    Count,
    KeyId,
    Label,
    Message,
    OptionalLabel,
    PageSize,
    Positive,
    PublicKey,
    Signature64,
    Version,
)


class Limits(Message, frozen=True, tag="limits"):
    """How a key may be used; what is absent is not limited.

    ``expires_at``: unix seconds. ``max_uses``: of each version. ``rate_count`` uses in any
    ``rate_seconds``.
    """

    expires_at: Count | None = None
    max_uses: Positive | None = None
    rate_count: Positive | None = None
    rate_seconds: Positive | None = None


class GenerateIdentityKey(Message, frozen=True, tag="generate-identity-key"):
    """Make the owner's Ed25519 identity key; -> ``Key``."""

    owner: Address
    label: OptionalLabel = ""
    exportable: bool = False


class GenerateKey(Message, frozen=True, tag="generate-key"):
    """Make a key for a purpose; -> ``Key``.

    ``key_type``: where the purpose has several. ``owner``: absent for a wallet key, which owns
    itself. ``releases``: its shared secrets may leave as bytes; ``exportable``: it may go into a
    backup; the policy must allow either.
    """

    purpose: Label
    owner: Address | None = None
    key_type: Label | None = None
    label: OptionalLabel = ""
    limits: Limits | None = None
    releases: bool = False
    exportable: bool = False


class DeriveInstallationKey(Message, frozen=True, tag="derive-installation-key"):
    """Derive the identity key's installation key for a device: the same one each time, in every
    enclave that holds the identity key; -> ``Key``.
    """

    identity_key_id: KeyId
    device_id: Label
    label: OptionalLabel = ""


class DeriveKey(Message, frozen=True, tag="derive-key"):
    """Derive a key from a derivation key by a path, for a purpose; -> ``Key``."""

    parent_key_id: KeyId
    purpose: Label
    path: Label
    key_type: Label | None = None
    label: OptionalLabel = ""
    limits: Limits | None = None
    releases: bool = False


class GeneratePreKey(Message, frozen=True, tag="generate-pre-key"):
    """Make the identity key's next X25519 pre-key and sign it; -> ``PreKey``. No expiry: 90 days
    from now.
    """

    identity_key_id: KeyId
    expires_at: Count | None = None


class GetIdentityKey(Message, frozen=True, tag="get-identity-key"):
    """-> ``Key``, the owner's identity key."""

    owner: Address


class GetKey(Message, frozen=True, tag="get-key"):
    """-> ``Key``."""

    key_id: KeyId


class GetPreKeys(Message, frozen=True, tag="get-pre-keys"):
    """-> ``PreKeyPage``, oldest first; ``after``: the cursor of the page before."""

    identity_key_id: KeyId
    after: Count = 0
    limit: PageSize = MAX_PAGE


class ListKeys(Message, frozen=True, tag="list-keys"):
    """-> ``KeyPage``, oldest first, without an owner every key of the store (an owner's listing
    leaves the pre-keys out: ``GetPreKeys`` has them).

    ``label``: only keys whose label begins so. ``state``: ``active``, ``deleted`` or
    ``destroyed``. A page of a search may be short, or empty, before the last.
    """

    owner: Address | None = None
    after: Count = 0
    limit: PageSize = MAX_PAGE
    purpose: Label | None = None
    key_type: Label | None = None
    label: Label | None = None
    state: Label | None = None


class VersionInfo(Message, frozen=True, tag="key-version"):
    """An older version of a key that is kept."""

    number: Count
    public_key: PublicKey
    created_at: Count


class GetVersions(Message, frozen=True, tag="get-versions"):
    """-> ``Versions``: those of a key that are kept, the current one last."""

    key_id: KeyId


class Versions(Message, frozen=True, tag="versions"):
    """The versions of a key that are kept, ascending."""

    minimum: Version
    versions: tuple[VersionInfo, ...]


class Key(Message, frozen=True, tag="key"):
    """The public record of a key. ``epoch`` is a pre-key's, and 0 for others.

    ``state``: ``active``, ``deleted`` (it can be restored, and destroyed from ``destroy_after``
    on) or ``destroyed``. ``version``: the current one; those from ``minimum_version`` on can be
    used. ``derived_from``: the parent's id. ``releases``, ``exportable``: see ``GenerateKey``.
    """

    id: KeyId
    key_type: Label
    purpose: Label
    owner: Address | None
    public_key: PublicKey
    version: Count
    epoch: Count
    provenance: Label
    operations: tuple[Label, ...]
    created_at: Count
    destroyed_at: Count | None = None
    state: Label = "active"
    label: OptionalLabel = ""
    minimum_version: Count = 1
    rotated_at: Count | None = None
    limits: Limits | None = None
    derived_from: KeyId | None = None
    releases: bool = False
    exportable: bool = False
    deleted_at: Count | None = None
    destroy_after: Count | None = None


class KeyPage(Message, frozen=True, tag="key-page"):
    """A page of keys; ``next`` is the cursor of the following page, or nothing after the last."""

    keys: tuple[Key, ...]
    next: Count | None = None


class PreKey(Message, frozen=True, tag="pre-key"):
    """A pre-key with the signature of its identity key (Ed25519ph, see ``attestation.pre_key``)."""

    id: KeyId
    identity_key_id: KeyId
    owner: Address
    identity_key: Bytes32
    public_key: Bytes32
    signature: Signature64
    epoch: Count
    expires_at: Count
    created_at: Count


class PreKeyPage(Message, frozen=True, tag="pre-key-page"):
    """A page of pre-keys; ``next`` is the cursor of the following page, or nothing after the
    last.
    """

    pre_keys: tuple[PreKey, ...]
    next: Count | None = None
