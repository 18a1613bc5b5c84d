"""One connection to the enclave, without its socket: bytes in, frames out.

=============  ==================  ===========================================  ==============
state          message             answer                                       next state
=============  ==================  ===========================================  ==============
GREETING       Hello, our version  Welcome                                      SERVING
GREETING       Hello, another      Failure(id 0, wire.protocol-version)         CLOSED
GREETING       Request             Failure(id 0, wire.message-unexpected)       CLOSED
SERVING        Request             Reply, or Failure with the request's id      SERVING
SERVING        Hello               Failure(id 0, wire.message-unexpected)       CLOSED
any            broken bytes        Failure(id 0, wire....)                      CLOSED
=============  ==================  ===========================================  ==============
"""

from __future__ import annotations

import logging
from enum import Enum, auto

from xmtp_tee.enclave.service import Enclave
from xmtp_tee.errors import XmtpTeeError
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.codec import ClientMessageDecoder, decode_operation, encode, reply
from xmtp_tee.wire.errors import MessageUnexpectedError, ProtocolVersionError, WireError
from xmtp_tee.wire.faults import EnclaveInternalError, to_failure
from xmtp_tee.wire.limits import PROTOCOL_VERSION

log = logging.getLogger("xmtp_tee.enclave")


class State(Enum):
    """Where a connection stands."""

    GREETING = auto()
    SERVING = auto()
    CLOSED = auto()


class Session:
    """The enclave's side of one connection."""

    def __init__(self, enclave: Enclave) -> None:
        """Serve ``enclave`` to one client."""
        self._enclave = enclave
        self._decoder = ClientMessageDecoder()
        self.state = State.GREETING

    @property
    def mid_frame(self) -> bool:
        """Whether the client has begun a frame and owes the rest."""
        return self._decoder.pending

    def feed(self, data: bytes) -> None:
        """Take bytes in; :meth:`next_answer` works on them."""
        if self.state is not State.CLOSED:
            self._decoder.feed(data)

    def next_answer(self, now: int) -> bytes | None:
        """Handle the next complete message at ``now`` and return the frame of its answer.

        None when more bytes are needed, or the connection is over (``state`` tells).
        """
        if self.state is State.CLOSED:
            return None
        try:
            message = self._decoder.next_message()
            if message is None:
                return None
            if self.state is State.GREETING:
                return self._greet(message)
            if isinstance(message, wire.Request):
                return self._serve(message, now)
            raise MessageUnexpectedError("A second hello", got="hello", expected="a request")
        except WireError as error:
            self.state = State.CLOSED
            log.warning("connection refused: %s", error.code)
            return encode(to_failure(0, error))

    def _greet(self, message: wire.ClientMessage) -> bytes:
        if not isinstance(message, wire.Hello):
            raise MessageUnexpectedError("A request came first", got="request", expected="hello")
        if message.version != PROTOCOL_VERSION:
            raise ProtocolVersionError(
                "The client speaks another version of the protocol",
                got=message.version,
                expected=PROTOCOL_VERSION,
                cause="client and enclave are of different releases",
            )
        self.state = State.SERVING
        return encode(wire.Welcome(version=PROTOCOL_VERSION, enclave=self._enclave.describe()))

    def _serve(self, request: wire.Request, now: int) -> bytes:
        name = "?"
        try:
            operation = decode_operation(request)
            name = str(operation.__struct_config__.tag)
            answer = encode(reply(request.id, self._enclave.handle(operation, now)))
        except XmtpTeeError as error:
            log.info("%s refused: %s", name, error.code)
            return encode(to_failure(request.id, error))
        except Exception as error:  # noqa: BLE001 -- one request's fault must not end the others
            # Only the kind: the text of a foreign exception may hold anything, secrets too.
            log.error("%s failed inside: %s", name, type(error).__name__)
            internal = EnclaveInternalError("A fault inside the enclave", got=type(error).__name__)
            return encode(to_failure(request.id, internal))
        log.debug("%s done", name)
        return answer
