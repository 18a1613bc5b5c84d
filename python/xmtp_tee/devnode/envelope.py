"""What the node reads of an MLS message: its group, and whether it is a commit (RFC 9420, section 6).

The node sees ciphertext: of a PrivateMessage the group id, the epoch and the content type stand in clear.
"""

from __future__ import annotations

from dataclasses import dataclass

from xmtp_tee.devnode.errors import RequestRefusedError

_MLS_10 = 1
_PUBLIC_MESSAGE = 1
_PRIVATE_MESSAGE = 2
_COMMIT = 3
_CONTENT_TYPES = (1, 2, _COMMIT)
_SENDER_SIZES = {1: 5, 2: 5, 3: 1, 4: 1}  # member, external, new_member_proposal, new_member_commit


@dataclass(frozen=True, slots=True)
class MessageHead:
    """The clear part of an MLS message."""

    group_id: bytes
    epoch: int
    is_commit: bool


def read_head(message: bytes) -> MessageHead:
    """Read the clear part of a PublicMessage or PrivateMessage.

    :raises RequestRefusedError: it is neither
    """
    reader = _Reader(message)
    if reader.uint(2) != _MLS_10:
        raise RequestRefusedError("Not a message of MLS 1.0")
    wire_format = reader.uint(2)
    if wire_format not in (_PUBLIC_MESSAGE, _PRIVATE_MESSAGE):
        raise RequestRefusedError("Not a group's message", got=f"wire format {wire_format}")
    group_id = reader.vector()
    epoch = reader.uint(8)
    if wire_format == _PUBLIC_MESSAGE:
        sender = reader.uint(1)
        if sender not in _SENDER_SIZES:
            raise RequestRefusedError("An unknown kind of sender", got=sender)
        reader.take(_SENDER_SIZES[sender] - 1)
        reader.vector()
    content_type = reader.uint(1)
    if content_type not in _CONTENT_TYPES:
        raise RequestRefusedError("An unknown content type", got=content_type)
    return MessageHead(group_id, epoch, content_type == _COMMIT)


def read_signature_key(key_package: bytes) -> bytes:
    """Return the signature key of a KeyPackage's leaf, which is the installation's id.

    A KeyPackage starts with version, cipher suite and init key; its LeafNode with encryption key and
    signature key (sections 7.2 and 10). The client that fetches the key package checks the rest.

    :raises RequestRefusedError: it is no KeyPackage of MLS 1.0, or the key is not 32 bytes
    """
    reader = _Reader(key_package)
    if reader.uint(2) != _MLS_10:
        raise RequestRefusedError("Not a key package of MLS 1.0")
    reader.uint(2)
    reader.vector()
    reader.vector()
    key = reader.vector()
    if len(key) != 32:
        raise RequestRefusedError("An installation's key is 32 bytes", got=len(key))
    return key


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take(self, size: int) -> bytes:
        end = self._position + size
        if end > len(self._data):
            raise RequestRefusedError("The MLS message ends early")
        chunk = self._data[self._position : end]
        self._position = end
        return chunk

    def uint(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self) -> bytes:
        """A variable-length vector: the two highest bits of the length say its size."""
        first = self.uint(1)
        prefix = first >> 6
        if prefix == 3:
            raise RequestRefusedError("A vector's length has an invalid prefix")
        length = first & 0x3F
        for _ in range((1 << prefix) - 1):
            length = length << 8 | self.uint(1)
        return self.take(length)
