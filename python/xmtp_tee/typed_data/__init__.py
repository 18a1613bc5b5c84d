"""EIP-712 typed data: parsed strictly, hashed, and its leaves named. No I/O, no chain library."""

from xmtp_tee.typed_data.document import TypedData, parse_typed_data
from xmtp_tee.typed_data.types import Struct, encode_type, parse_type

__all__ = ["Struct", "TypedData", "encode_type", "parse_type", "parse_typed_data"]
