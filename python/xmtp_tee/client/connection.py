"""A blocking connection to an enclave's Unix socket: one request, one answer, in order."""

from __future__ import annotations

import os
import socket
import threading
import time
from types import TracebackType

from xmtp_tee import __version__
from xmtp_tee.client.caller import CallerKey, Greeting, require_transport_key
from xmtp_tee.client.errors import EnclaveTimeoutError, EnclaveUnavailableError
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.channel import Channel
from xmtp_tee.wire.codec import ServerMessageDecoder, decode_result, encode_request, request
from xmtp_tee.wire.errors import MessageUnexpectedError, ProtocolVersionError, WireError
from xmtp_tee.wire.faults import to_exception
from xmtp_tee.wire.limits import PROTOCOL_VERSION

_CHUNK = 64 << 10


class EnclaveConnection:
    """Connected from construction to :meth:`close`. Threads may share it: a lock keeps requests
    apart.

    After a timeout or a broken frame it is over, since a late answer would be taken for the next
    one's.
    """

    def __init__(
        self,
        socket_path: str | os.PathLike[str],
        timeout: float,
        caller: CallerKey | None = None,
        transport_key: bytes | None = None,
    ) -> None:
        """Connect and greet. ``timeout``: seconds for connecting, and for each answer.

        ``caller``: the key that the enclave's policy knows this client by; the connection is then
        protected. ``transport_key``: the enclave's, from its verified attestation.

        :raises EnclaveUnavailableError: if nobody listens, or access is denied
        :raises EnclaveMismatchError: if the enclave has another transport key
        :raises ProtocolVersionError: if the enclave speaks another version
        :raises XmtpTeeError: if the enclave refuses the connection
        """
        self._path = os.fspath(socket_path)
        self._timeout = timeout
        self._channel: Channel | None = None
        self._pending: Channel | None = None
        self._lock = threading.Lock()
        self._decoder = ServerMessageDecoder()
        self._next_id = 1
        self._socket: socket.socket | None = self._connect()
        try:
            self.enclave = self._greet(caller, transport_key)
        except BaseException:
            self.close()
            raise

    def call(self, operation: wire.Operation) -> wire.Result:
        """Send one operation and return its result; raises as :meth:`ask`, and the enclave's typed
        answer.
        """
        _, answer = self.ask(operation)
        if isinstance(answer, wire.Failure):
            raise to_exception(answer)
        return decode_result(answer)

    def ask(
        self,
        operation: wire.Operation,
        idempotency_key: str | None = None,
        receipt: bool = False,
    ) -> tuple[wire.Request, wire.Reply | wire.Failure]:
        """Send one operation; return the request and its answer as they travelled.

        :raises EnclaveUnavailableError: if the connection is over, or ends before the answer
        :raises EnclaveTimeoutError: if the answer does not come in time
        :raises XmtpTeeError: the enclave's typed farewell
        """
        with self._lock:
            number, self._next_id = self._next_id, self._next_id + 1
            asked = request(number, operation, idempotency_key, receipt)
            answer = self._exchange(asked)
            if isinstance(answer, wire.Failure) and answer.id == 0:
                self._hang_up()
                raise to_exception(answer)
            if isinstance(answer, wire.Reply | wire.Failure) and answer.id == number:
                return asked, answer
            self._hang_up()
            raise MessageUnexpectedError("The answer belongs to no request", expected=number)

    def close(self) -> None:
        """Hang up; harmless when that has happened already. Waits for another thread's request to
        end.
        """
        with self._lock:
            self._hang_up()

    def __enter__(self) -> EnclaveConnection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(self._timeout)
            connection.connect(self._path)
        except (OSError, ValueError) as error:
            connection.close()
            raise EnclaveUnavailableError(
                "No enclave answers on the socket",
                got=f"{self._path}: {getattr(error, 'strerror', None) or error}",
                cause="the enclave is not running, or runs elsewhere or under another user",
                next_command="xmtp-tee enclave run",
            ) from error
        return connection

    def _greet(
        self, caller: CallerKey | None, transport_key: bytes | None
    ) -> wire.EnclaveDescription:
        greeting = None if caller is None else Greeting(caller)
        hello = wire.Hello(
            version=PROTOCOL_VERSION,
            client=f"xmtp-tee {__version__}",
            caller=None if greeting is None else greeting.claim,
        )
        answer = self._exchange(hello)
        if greeting is not None and isinstance(answer, wire.Challenge):
            require_transport_key(answer.enclave, transport_key)
            proof, channel = greeting.proof(answer)
            # From its answer on the enclave speaks protected. A plain one tells that it did not
            # accept the proof: somebody in between has changed the greeting.
            self._pending = channel
            answer = self._exchange(proof)
        if isinstance(answer, wire.Failure):
            raise to_exception(answer)
        if not isinstance(answer, wire.Welcome):
            raise MessageUnexpectedError("The enclave did not greet", expected="welcome")
        if answer.version != PROTOCOL_VERSION:
            raise ProtocolVersionError(
                "The enclave speaks another version of the protocol",
                got=answer.version,
                expected=PROTOCOL_VERSION,
            )
        if greeting is not None and self._channel is None:
            raise MessageUnexpectedError("The enclave asked for no proof", expected="challenge")
        require_transport_key(answer.enclave, transport_key)
        return answer.enclave

    def _exchange(self, message: wire.ClientMessage) -> wire.ServerMessage:
        if self._socket is None:
            raise EnclaveUnavailableError(
                "The connection to the enclave is closed", next_command="connect anew"
            )
        frame = encode_request(message, None if self._channel is None else self._channel.seal)
        if self._pending is not None:
            self._channel, self._pending = self._pending, None
            self._decoder.protect(self._channel.open)
        deadline = time.monotonic() + self._timeout
        try:
            self._send(self._socket, frame, deadline)
            return self._receive(self._socket, deadline)
        except TimeoutError:
            self._hang_up()
            raise EnclaveTimeoutError(
                "The enclave did not answer in time", expected=f"within {self._timeout:g} s"
            ) from None
        except OSError as error:
            self._hang_up()
            raise self._lost(error.strerror) from error
        except (WireError, EnclaveUnavailableError):
            self._hang_up()
            raise

    def _send(self, connection: socket.socket, frame: bytes, deadline: float) -> None:
        connection.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            connection.sendall(frame)
        except (BrokenPipeError, ConnectionResetError):
            # The enclave may have hung up after a typed farewell, which is still to be read.
            return

    def _receive(self, connection: socket.socket, deadline: float) -> wire.ServerMessage:
        while True:
            message = self._decoder.next_message()
            if message is not None:
                return message
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise TimeoutError
            connection.settimeout(remaining)
            data = connection.recv(_CHUNK)
            if not data:
                self._decoder.eof()
                raise self._lost("the enclave hung up")
            self._decoder.feed(data)

    def _lost(self, why: str | None) -> EnclaveUnavailableError:
        return EnclaveUnavailableError(
            "The connection to the enclave is lost",
            got=why,
            cause="the enclave stopped; what was asked for may or may not have been done",
            next_command="xmtp-tee status",
        )

    def _hang_up(self) -> None:
        connection, self._socket = self._socket, None
        if connection is not None:
            connection.close()
