"""The types of fields, and the base of every message."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from xmtp_tee.wire.limits import (
    MAX_CHAIN_ID,
    MAX_PAGE,
    MAX_PUBLIC_KEY,
    MAX_SEALED_MESSAGE,
    MAX_SIGNED_MESSAGE,
)

Address = Annotated[bytes, Meta(min_length=20, max_length=20)]
Bytes16 = Annotated[bytes, Meta(min_length=16, max_length=16)]
Bytes32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
PublicKey = Annotated[bytes, Meta(max_length=MAX_PUBLIC_KEY)]
Signature64 = Annotated[bytes, Meta(min_length=64, max_length=64)]
Signature65 = Annotated[bytes, Meta(min_length=65, max_length=65)]
KeyId = Annotated[str, Meta(min_length=1, max_length=64)]
Label = Annotated[str, Meta(min_length=1, max_length=64)]
OptionalLabel = Annotated[str, Meta(max_length=64)]
Count = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Positive = Annotated[int, Meta(ge=1, le=(1 << 53) - 1)]
RequestId = Annotated[int, Meta(ge=1, le=(1 << 53) - 1)]
ChainId = Annotated[int, Meta(ge=1, le=MAX_CHAIN_ID)]
PageSize = Annotated[int, Meta(ge=1, le=MAX_PAGE)]
Version = Annotated[int, Meta(ge=0, le=(1 << 31) - 1)]
"""Of a key; 0 stands for the current one."""
Data = Annotated[bytes, Meta(max_length=MAX_SIGNED_MESSAGE)]
Sealed = Annotated[bytes, Meta(max_length=MAX_SEALED_MESSAGE)]


class Message(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="type"
):
    """The base of everything that travels; the field ``type`` names the class."""
