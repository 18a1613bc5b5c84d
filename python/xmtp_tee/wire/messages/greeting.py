"""The first words on a connection."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from xmtp_tee.wire.messages.base import Address, Bytes32, Count, KeyId, Label, Message, Signature64


class CallerClaim(Message, frozen=True, tag="caller-claim"):
    """Who the client says it is. ``key``: its Ed25519 public key, which the enclave's policy must
    name. ``share``: an X25519 public key of this connection alone.
    """

    key: Bytes32
    share: Bytes32


class Hello(Message, frozen=True, forbid_unknown_fields=False, tag="hello"):
    """The client's first message: the protocol version it speaks, and its name for the enclave's
    log. Without ``caller`` it is whom the socket says.
    """

    version: Count
    client: Annotated[str, Meta(max_length=64)] = ""
    caller: CallerClaim | None = None


class Challenge(Message, frozen=True, tag="challenge"):
    """The enclave's answer to a ``Hello`` with a claim: sign this nonce (32 random bytes), and know
    whom you speak to.
    """

    nonce: Bytes32
    enclave: EnclaveDescription


class Proof(Message, frozen=True, tag="proof"):
    """The client's Ed25519 signature over the greeting so far (see ``wire.channel``)."""

    signature: Signature64


class Welcome(Message, frozen=True, forbid_unknown_fields=False, tag="welcome"):
    """The enclave's answer to ``Hello``, or to ``Proof``: who it is."""

    version: Count
    enclave: EnclaveDescription


class EnclaveDescription(Message, frozen=True, forbid_unknown_fields=False, tag="enclave"):
    """Who the enclave is.

    ``authority``: address of the secp256k1 key that certifies bundles. ``transport_key``: X25519
    public key. ``tee``: ``tdx``, ...; ``further_tees``: other kinds that vouch for this enclave.
    ``assurance``: an assurance level's label. ``store_id``: 16 random bytes in hex.
    """

    authority: Address
    authority_key_id: KeyId
    transport_key: Bytes32
    transport_key_id: KeyId
    tee: Label
    assurance: Label
    store_id: Label
    software_version: Label
    further_tees: tuple[Label, ...] = ()
