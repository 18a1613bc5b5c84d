"""The protocol between an application and the enclave: frames and typed messages, without any I/O.

Bytes go into a decoder and messages come out; messages go into an encoder and bytes come out.
Sockets and clocks belong to the two ends (``xmtp_tee.enclave.server``,
``xmtp_tee.client.key_manager``).

Rule 1: a frame is a 4-byte big-endian length and that many bytes of one MessagePack message.
Rule 2: the client speaks first, with ``Hello``; the enclave answers ``Welcome``, or ``Failure`` and
hangs up.
Rule 3: then every ``Request`` gets exactly one ``Reply`` or ``Failure`` with its id, in order.
Rule 4: whoever breaks the framing or an envelope is hung up on, for its bytes cannot be trusted to
be in step any more; a request whose operation is unknown or wrong only fails itself.
"""

from xmtp_tee.wire.codec import (
    ClientMessageDecoder,
    ServerMessageDecoder,
    decode_operation,
    decode_result,
    encode,
    encode_request,
)
from xmtp_tee.wire.limits import PROTOCOL_VERSION

__all__ = [
    "PROTOCOL_VERSION",
    "ClientMessageDecoder",
    "ServerMessageDecoder",
    "decode_operation",
    "decode_result",
    "encode",
    "encode_request",
]
