"""The structures of a policy. Their defaults are the strict ones: what is not written is refused.

Addresses are texts of 0x and 40 hex digits, keys and ids hex without 0x, times unix seconds.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

ANY: Final = "*"
"""In a list of operations: every one but the administrative ones. In a list of owners: every
owner."""

DAY: Final = 86_400

Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._@-]*$")]
Positive = Annotated[int, Meta(ge=1, le=(1 << 53) - 1)]
Natural = Annotated[int, Meta(ge=0, le=(1 << 53) - 1)]
Octet = Annotated[int, Meta(ge=0, le=255)]


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The base of every structure here: an unknown field is an error."""


class Rate(Part, frozen=True, kw_only=True):
    """At most ``count`` in any ``seconds``."""

    count: Positive
    seconds: Positive


class Grant(Part, frozen=True, kw_only=True):
    """Operations by their names on the wire, on the keys of these owners.

    ``owners`` matters only to operations that touch an owner's keys; without one, none may be
    touched.
    """

    operations: tuple[str, ...]
    owners: tuple[str, ...] = ()


class Caller(Part, frozen=True, kw_only=True):
    """Who calls: a local user (``uid``, told by the kernel) or the holder of an Ed25519 key
    (``key``, 64 hex digits), never both.

    ``max_requests``: how many it may make in all, counted under its name, whatever the policies
    after this one say.
    """

    name: Name
    uid: Natural | None = None
    key: str | None = None
    grants: tuple[Grant, ...] = ()
    rate: Rate | None = None
    max_requests: Positive | None = None
    expires_at: Natural | None = None


class ChangeRule(Part, frozen=True, kw_only=True):
    """Who approves the next policy: ``quorum`` signatures of the ``owners`` (EIP-712). With none,
    the grant ``apply-policy`` is enough.
    """

    owners: tuple[str, ...] = ()
    quorum: Natural = 0


class KeyRules(Part, frozen=True, kw_only=True):
    """What may be done with keys at all.

    ``minimum_waiting``: seconds between deletion and destruction. ``release_shared_secrets``: keys
    may be made whose shared secrets leave as bytes. ``exportable``: keys may be made that can go
    into a backup. ``maximum_installations``: derived from one identity key.
    """

    minimum_waiting: Natural = 7 * DAY
    release_shared_secrets: bool = False
    exportable: bool = False
    maximum_installations: Annotated[int, Meta(ge=0, le=10)] = 10


class Condition(Part, frozen=True, kw_only=True):
    """What a field of typed data must be: exactly one of the four.

    Numbers are decimal texts, addresses and bytes 0x texts. ``anything`` must be said aloud.
    """

    equals: str | None = None
    one_of: tuple[str, ...] | None = None
    at_most: str | None = None
    anything: bool = False


class TypedDataRule(Part, frozen=True, kw_only=True):
    """Typed data that a wallet key may sign.

    ``domain``: each of its fields as text. ``type``: EIP-712's encodeType of the primary type.
    ``fields``: a condition for every leaf, by its dotted name (``order.price``); an array's
    condition holds for each of its elements.
    """

    name: Name
    domain: dict[str, str]
    type: Annotated[str, Meta(min_length=3, max_length=4096)]
    fields: dict[str, Condition]


class WalletRules(Part, frozen=True, kw_only=True):
    """What wallet and installation keys may sign.

    ``identity_actions``: of ``create-inbox``, ``add-installation``, ``link-address``,
    ``link-passkey``, ``revoke-installation``, ``unlink-address``, ``unlink-passkey``,
    ``change-recovery``. ``clock_window``: seconds by which a text's time may differ from the
    enclave's. ``installations``: public keys (hex) that are not the enclave's own and may be
    granted. ``inboxes``: inbox ids that are not the key's own and may be joined.
    ``maximum_identity_updates``, ``maximum_installations``: of one wallet, ever. ``intents``: of
    ``register``, ``rotate`` and ``revoke`` (which is for ever). ``registries``:
    ``chain id:address`` of the KeyRegistries for which intents are signed; without the list, any.
    """

    identity_actions: tuple[str, ...] = ("create-inbox", "add-installation")
    clock_window: Annotated[int, Meta(ge=1, le=DAY)] = 600
    installations: tuple[str, ...] = ()
    inboxes: tuple[str, ...] = ()
    maximum_identity_updates: Annotated[int, Meta(ge=0, le=256)] = 200
    maximum_installations: Annotated[int, Meta(ge=0, le=10)] = 10
    intents: tuple[str, ...] = ("register", "rotate")
    registries: tuple[str, ...] | None = None
    typed_data: tuple[TypedDataRule, ...] = ()


class TcbFloor(Part, frozen=True, kw_only=True):
    """The least TCB of a SEV-SNP product line: ``product`` as AMD spells it, components 0 to 255;
    ``fmc`` is Turin's alone.
    """

    product: Literal["Milan", "Genoa", "Turin"]
    boot_loader: Octet = 0
    tee: Octet = 0
    snp: Octet = 0
    microcode: Octet = 0
    fmc: Octet = 0


class StoreRules(Part, frozen=True, kw_only=True):
    """Who may get the store. ``successors``: workload ids (hex) of enclaves to which it may be handed
    over. ``roots``: SHA-256 (hex) of the root certificates under which their evidence may stand.
    ``recovery``: X25519 public keys (hex) to which the store key may be sealed. WARNING: whoever has
    such a private key and a copy of the database has every key in it. ``tcb_floors``: of SEV-SNP
    successors, one for a product line; without one it is what this platform itself reports, and
    another line is refused.
    """

    successors: tuple[Annotated[str, Meta(pattern="^[0-9a-f]{64}$")], ...] = ()
    roots: tuple[Annotated[str, Meta(pattern="^[0-9a-f]{64}$")], ...] = ()
    recovery: tuple[Annotated[str, Meta(pattern="^[0-9a-f]{64}$")], ...] = ()
    tcb_floors: tuple[TcbFloor, ...] = ()


class Policy(Part, frozen=True, kw_only=True):
    """The whole. ``version`` grows by one with every change; 0 is the one that is built in."""

    version: Natural
    callers: tuple[Caller, ...]
    change: ChangeRule = ChangeRule()
    keys: KeyRules = KeyRules()
    wallet: WalletRules = WalletRules()
    store: StoreRules = StoreRules()


def built_in(uids: tuple[int, ...]) -> Policy:
    """Return the policy of a new enclave: the local users that may connect may do everything but
    what is dangerous.
    """
    operations = (ANY, "get-policy", "apply-policy", "read-audit")
    return Policy(
        version=0,
        callers=tuple(
            Caller(
                name=f"uid-{uid}",
                uid=uid,
                grants=(Grant(operations=operations, owners=(ANY,)),),
            )
            for uid in uids
        ),
    )
