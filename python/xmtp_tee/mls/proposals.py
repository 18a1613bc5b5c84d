"""Proposals (RFC 9420, section 12.1), and AppDataUpdate (draft-ietf-mls-extensions-08, 4.7)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Final

from xmtp_tee.mls.codec import Reader, opaque, u16, u32
from xmtp_tee.mls.errors import UnknownVariantError
from xmtp_tee.mls.extensions import Extensions, decode_extensions, encode_extensions
from xmtp_tee.mls.key_package import KeyPackage
from xmtp_tee.mls.leaf_node import LeafNode
from xmtp_tee.mls.psk import PskId, decode_psk_id


class ProposalType(IntEnum):
    """The proposals that are understood."""

    ADD = 1
    UPDATE = 2
    REMOVE = 3
    PSK = 4
    REINIT = 5
    EXTERNAL_INIT = 6
    GROUP_CONTEXT_EXTENSIONS = 7
    APP_DATA_UPDATE = 8


DEFAULT_PROPOSALS: Final = frozenset(range(1, 8))
"""Everybody supports these, and nobody needs to list them (section 7.2)."""

PATH_REQUIRED: Final = frozenset(
    {
        ProposalType.UPDATE,
        ProposalType.REMOVE,
        ProposalType.EXTERNAL_INIT,
        ProposalType.GROUP_CONTEXT_EXTENSIONS,
    }
)
"""A commit with one of these needs an update path (section 17.4)."""


@dataclass(frozen=True)
class Add:
    """Adds a client."""

    type: ClassVar[ProposalType] = ProposalType.ADD
    package: KeyPackage

    def body(self) -> bytes:
        """Return the bytes after the type."""
        return self.package.encoded


@dataclass(frozen=True)
class Update:
    """Replaces the sender's leaf."""

    type: ClassVar[ProposalType] = ProposalType.UPDATE
    leaf: LeafNode

    def body(self) -> bytes:
        """Return the bytes after the type."""
        return self.leaf.encoded


@dataclass(frozen=True)
class Remove:
    """Removes the member at a leaf index."""

    type: ClassVar[ProposalType] = ProposalType.REMOVE
    removed: int

    def body(self) -> bytes:
        """Return the bytes after the type."""
        return u32(self.removed)


@dataclass(frozen=True)
class PreSharedKey:
    """Mixes a pre-shared key into the key schedule."""

    type: ClassVar[ProposalType] = ProposalType.PSK
    psk: PskId

    def body(self) -> bytes:
        """Return the bytes after the type."""
        return self.psk.encode()


@dataclass(frozen=True)
class ReInit:
    """Ends the group, to be followed by one with these parameters."""

    type: ClassVar[ProposalType] = ProposalType.REINIT
    group_id: bytes
    version: int
    cipher_suite: int
    extensions: Extensions

    def body(self) -> bytes:
        """Return the bytes after the type."""
        return b"".join(
            (
                opaque(self.group_id),
                u16(self.version),
                u16(self.cipher_suite),
                encode_extensions(self.extensions),
            )
        )


@dataclass(frozen=True)
class ExternalInit:
    """Brings the init secret of an external commit."""

    type: ClassVar[ProposalType] = ProposalType.EXTERNAL_INIT
    kem_output: bytes

    def body(self) -> bytes:
        """Return the bytes after the type."""
        return opaque(self.kem_output)


@dataclass(frozen=True)
class GroupContextExtensions:
    """Replaces all the group context's extensions."""

    type: ClassVar[ProposalType] = ProposalType.GROUP_CONTEXT_EXTENSIONS
    extensions: Extensions

    def body(self) -> bytes:
        """Return the bytes after the type."""
        return encode_extensions(self.extensions)


@dataclass(frozen=True)
class AppDataUpdate:
    """Changes the data of one component, in that component's own way; None removes the data."""

    type: ClassVar[ProposalType] = ProposalType.APP_DATA_UPDATE
    component: int
    update: bytes | None

    def body(self) -> bytes:
        """Return the bytes after the type."""
        operation = b"\x02" if self.update is None else b"\x01" + opaque(self.update)
        return u16(self.component) + operation


Proposal = (
    Add
    | Update
    | Remove
    | PreSharedKey
    | ReInit
    | ExternalInit
    | GroupContextExtensions
    | AppDataUpdate
)


def encode_proposal(proposal: Proposal) -> bytes:
    """Return a proposal's bytes."""
    return u16(proposal.type) + proposal.body()


def decode_proposal(reader: Reader) -> Proposal:
    """Read a proposal.

    :raises UnknownVariantError: of a type that is not understood: where it ends cannot be known
    """
    match reader.u16():
        case ProposalType.ADD:
            return Add(KeyPackage.decode(reader))
        case ProposalType.UPDATE:
            return Update(LeafNode.decode(reader))
        case ProposalType.REMOVE:
            return Remove(reader.u32())
        case ProposalType.PSK:
            return PreSharedKey(decode_psk_id(reader))
        case ProposalType.REINIT:
            return ReInit(reader.opaque(), reader.u16(), reader.u16(), decode_extensions(reader))
        case ProposalType.EXTERNAL_INIT:
            return ExternalInit(reader.opaque())
        case ProposalType.GROUP_CONTEXT_EXTENSIONS:
            return GroupContextExtensions(decode_extensions(reader))
        case ProposalType.APP_DATA_UPDATE:
            return _decode_app_data_update(reader)
        case other:
            raise UnknownVariantError("The proposal's type is unknown", got=f"{other:#06x}")


def _decode_app_data_update(reader: Reader) -> AppDataUpdate:
    component = reader.u16()
    match reader.u8():
        case 1:
            return AppDataUpdate(component, reader.opaque())
        case 2:
            return AppDataUpdate(component, None)
        case other:
            raise UnknownVariantError("An update of application data is 1 or 2", got=other)
