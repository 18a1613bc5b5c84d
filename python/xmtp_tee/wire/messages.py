"""The typed messages: strict structures, whose lengths and bounds are part of their types.

Addresses are 20 raw bytes, hashes and public keys 32, times unix seconds. Key ids are opaque text.
An unknown field is an error everywhere but in the two greetings, which must stay readable to other
versions so that the answer can be a typed ``ProtocolVersionError``.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from xmtp_tee.wire.limits import MAX_CHAIN_ID, MAX_PAGE

Address = Annotated[bytes, Meta(min_length=20, max_length=20)]
Bytes32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
PublicKey = Annotated[bytes, Meta(min_length=32, max_length=65)]
Signature64 = Annotated[bytes, Meta(min_length=64, max_length=64)]
Signature65 = Annotated[bytes, Meta(min_length=65, max_length=65)]
KeyId = Annotated[str, Meta(min_length=1, max_length=64)]
Label = Annotated[str, Meta(min_length=1, max_length=64)]
Count = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
RequestId = Annotated[int, Meta(ge=1, le=(1 << 53) - 1)]
ChainId = Annotated[int, Meta(ge=1, le=MAX_CHAIN_ID)]
PageSize = Annotated[int, Meta(ge=1, le=MAX_PAGE)]


class Message(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="type"
):
    """The base of everything that travels; the field ``type`` names the class."""


# --- greetings ------------------------------------------------------------------------------------


class Hello(Message, frozen=True, forbid_unknown_fields=False, tag="hello"):
    """The client's first message: the protocol version it speaks, and its name for the enclave's
    log.
    """

    version: Count
    client: Annotated[str, Meta(max_length=64)] = ""


class Welcome(Message, frozen=True, forbid_unknown_fields=False, tag="welcome"):
    """The enclave's answer to ``Hello``: who it is."""

    version: Count
    enclave: EnclaveDescription


class EnclaveDescription(Message, frozen=True, forbid_unknown_fields=False, tag="enclave"):
    """Who the enclave is.

    ``authority``: address of the secp256k1 key that certifies bundles. ``transport_key``: X25519
    public key. ``tee``: ``tdx``, .... ``assurance``: an assurance level's label. ``store_id``: 16
    random bytes in hex.
    """

    authority: Address
    authority_key_id: KeyId
    transport_key: Bytes32
    transport_key_id: KeyId
    tee: Label
    assurance: Label
    store_id: Label
    software_version: Label


# --- envelopes ------------------------------------------------------------------------------------


class Request(Message, frozen=True, tag="request"):
    """One operation, to be answered under the same id. The operation stays undecoded until it is
    looked at, so that a wrong one can be answered under its id."""

    id: RequestId
    operation: msgspec.Raw


class Reply(Message, frozen=True, tag="reply"):
    """The result of the request with this id."""

    id: RequestId
    result: msgspec.Raw


class Failure(Message, frozen=True, tag="failure"):
    """The typed error of the request with this id; id 0 concerns the connection, which is then
    closed.
    """

    id: Annotated[int, Meta(ge=0, le=(1 << 53) - 1)]
    code: Label
    message: str
    got: str | None = None
    expected: str | None = None
    cause: str | None = None
    next_command: str | None = None
    exit_code: int = 1


# --- operations -----------------------------------------------------------------------------------


class Ping(Message, frozen=True, tag="ping"):
    """Ask whether the enclave answers; -> ``Pong``."""


class Describe(Message, frozen=True, tag="describe"):
    """Ask who the enclave is; -> ``EnclaveDescription``."""


class GenerateIdentityKey(Message, frozen=True, tag="generate-identity-key"):
    """Make the owner's Ed25519 identity key; -> ``Key``."""

    owner: Address


class GeneratePreKey(Message, frozen=True, tag="generate-pre-key"):
    """Make the identity key's next X25519 pre-key and sign it; -> ``PreKey``. No expiry: 90 days
    from now.
    """

    identity_key_id: KeyId
    expires_at: Count | None = None


class Sign(Message, frozen=True, tag="sign"):
    """Sign with an identity key: Ed25519ph under XMTP's public context; -> ``Signature``."""

    key_id: KeyId
    message: bytes


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
    leaves the pre-keys out: ``GetPreKeys`` has them)."""

    owner: Address | None = None
    after: Count = 0
    limit: PageSize = MAX_PAGE


class GetAttestation(Message, frozen=True, tag="get-attestation"):
    """Have the TEE vouch for authority and transport key, bound to a chain, a registry and a recent
    block;
    -> ``Quote``."""

    chain_id: ChainId
    enclave_registry: Address
    block_number: Count
    block_hash: Bytes32


class CertifyKeyBundle(Message, frozen=True, tag="certify-key-bundle"):
    """Have the authority certify a bundle out of the enclave's own records; -> ``Certificate``."""

    identity_key_id: KeyId
    pre_key_id: KeyId
    chain_id: ChainId
    key_registry: Address


# --- results --------------------------------------------------------------------------------------


class Pong(Message, frozen=True, tag="pong"):
    """The enclave answers."""


class Key(Message, frozen=True, tag="key"):
    """The public record of a key. ``epoch`` is a pre-key's, and 0 for others."""

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


class Signature(Message, frozen=True, tag="signature"):
    """A 64-byte Ed25519ph signature."""

    signature: Signature64


class Quote(Message, frozen=True, tag="quote"):
    """The TEE's quote and the binding that its report data commits to."""

    tee: Label
    quote: bytes
    authority: Address
    transport_key: Bytes32
    chain_id: ChainId
    enclave_registry: Address
    block_number: Count
    block_hash: Bytes32


class Certificate(Message, frozen=True, tag="certificate"):
    """A key bundle certificate: the fields of the EIP-712 type ``KeyBundle`` and the authority's
    signature.
    """

    chain_id: ChainId
    key_registry: Address
    owner: Address
    identity_key: Bytes32
    pre_key: Bytes32
    pre_key_signature: Signature64
    epoch: Count
    expires_at: Count
    provenance: Label
    authority: Address
    signature: Signature65


ClientMessage = Hello | Request
ServerMessage = Welcome | Reply | Failure
Operation = (
    Ping
    | Describe
    | GenerateIdentityKey
    | GeneratePreKey
    | Sign
    | GetIdentityKey
    | GetKey
    | GetPreKeys
    | ListKeys
    | GetAttestation
    | CertifyKeyBundle
)
Result = (
    Pong
    | EnclaveDescription
    | Key
    | KeyPage
    | PreKey
    | PreKeyPage
    | Signature
    | Quote
    | Certificate
)
