"""The server: connections, their limits and their ends, in one thread. A ``Connection`` is one client's socket.

Requests are handled one after the other, so that the store has one writer, in turns: everybody who has sent something
gets one answer, then again, until a turn's budget is used up; then what the turn has logged is written down, and only
then the answers leave. A client that sends rubbish, stops half way, reads slowly or vanishes loses its own connection
and nothing else; all clients together hold no more memory than the limits say.

It waits with epoll itself: asyncio would add a third to the time of a short request.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from xmtp_tee.enclave.callers import Peer
from xmtp_tee.enclave.config import Limits
from xmtp_tee.enclave.connection import CHUNK, Connection
from xmtp_tee.enclave.listener import Listener, authorise_peer
from xmtp_tee.enclave.service import Enclave
from xmtp_tee.enclave.session import Session
from xmtp_tee.errors import XmtpTeeError
from xmtp_tee.wire.codec import encode
from xmtp_tee.wire.faults import EnclaveBusyError, to_failure

log = logging.getLogger("xmtp_tee.enclave")

_TURN: Final = 256
"""Answers, or sockets read, between two looks at the sockets."""

_SWEEP: Final = 0.1
"""Seconds between two looks at the deadlines."""

_LINGER: Final = 30e-6
"""Seconds to stay awake before going to sleep. Who has been answered often asks again at once, and to be woken takes
longer than that: a tenth of the time of a signature for a client alone. An idle enclave spends 0.03% of a processor.
"""

_BACKLOG: Final = 64


class Stop:
    """Tells a server to stop; a signal's handler or another thread may do so."""

    def __init__(self) -> None:
        self._descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def fileno(self) -> int:
        """Return the descriptor that becomes readable."""
        return self._descriptor

    def set(self) -> None:
        """Have the server stop."""
        os.eventfd_write(self._descriptor, 1)

    def close(self) -> None:
        """Release the descriptor."""
        os.close(self._descriptor)


class Server:
    """Serves one enclave on one listening socket until told to stop."""

    def __init__(self, enclave: Enclave, limits: Limits, clock: Callable[[], int]) -> None:
        """``clock`` returns unix seconds."""
        self.limits = limits
        self.chunk = memoryview(bytearray(CHUNK))
        self.time = time.monotonic()
        """Monotonic seconds at the last look at the sockets."""
        self.held = 0
        self._enclave = enclave
        self._clock = clock
        self._connections: dict[int, Connection] = {}
        self._ready: deque[Connection] = deque()
        self._swept = 0.0
        self._deaf = False

    def serve(self, listener: Listener, stop: Stop, ready: Callable[[], None]) -> None:
        """Accept clients until ``stop`` is set; then finish what has begun and return.

        ``ready`` is called once clients can connect.
        """
        listener.socket.listen(_BACKLOG)
        with select.epoll() as self._epoll:
            self._epoll.register(stop.fileno(), select.EPOLLIN)
            self._epoll.register(listener.socket.fileno(), select.EPOLLIN)
            try:
                ready()
                while self._look(listener.socket, stop.fileno()):
                    pass
            finally:
                self._epoll.unregister(listener.socket.fileno())
                self._epoll.unregister(stop.fileno())
                self._farewell()

    # --- what connections tell --------------------------------------------------------------------

    def watch(self, connection: Connection, events: int) -> None:
        """Look for these events of its socket from now on."""
        self._epoll.modify(connection.descriptor, events)

    def gone(self, connection: Connection) -> None:
        """Forget a connection whose socket is about to be closed."""
        self._epoll.unregister(connection.descriptor)
        del self._connections[connection.descriptor]

    # --- sockets ----------------------------------------------------------------------------------

    def _look(self, listening: socket.socket, stop: int) -> bool:
        """Wait for what comes, and work on it; return whether to go on."""
        events = self._wait()
        self.time = time.monotonic()
        going_on = True
        for descriptor, event in events:
            connection = self._connections.get(descriptor)
            if connection is not None:
                self._attend(connection, event)
            elif descriptor == listening.fileno():
                self._accept(listening)
            elif descriptor == stop:
                going_on = False
        if self._ready:
            self._turn()
        if self.time - self._swept >= _SWEEP:
            self._sweep()
            if self._deaf:
                self._epoll.modify(listening.fileno(), select.EPOLLIN)
                self._deaf = False
        return going_on

    def _wait(self) -> list[tuple[int, int]]:
        """Return what has come; with work left over there is no waiting."""
        poll = self._epoll.poll
        events = poll(0, _TURN)
        if events or self._ready:
            return events
        end = time.monotonic() + _LINGER
        while time.monotonic() < end:
            if events := poll(0, _TURN):
                return events
        return poll(_SWEEP, _TURN)

    def _attend(self, connection: Connection, event: int) -> None:
        if event & select.EPOLLOUT:
            more = connection.written()
        elif event & select.EPOLLIN:
            more = connection.read()
        elif not connection.queued:
            # Both directions are over, or broken, and nothing of it is waiting for a turn.
            more = connection.read()
        else:
            return
        if more and not connection.queued:
            self._queue(connection)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_BACKLOG):
            try:
                accepted, _ = listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                # Out of descriptors, most likely: others wait until the next look at the deadlines.
                log.warning("a connection could not be accepted: %s", error.strerror)
                self._epoll.modify(listening.fileno(), 0)
                self._deaf = True
                return
            accepted.setblocking(False)
            connection = Connection(self, accepted)
            self._connections[connection.descriptor] = connection
            self._epoll.register(connection.descriptor, select.EPOLLIN)
            try:
                connection.session = self._admit(accepted)
            except XmtpTeeError as error:
                log.warning("connection refused: %s", error.code)
                connection.say(encode(to_failure(0, error)))
                connection.end()

    def _admit(self, accepted: socket.socket) -> Session:
        """Return the session of a new client.

        :raises PeerRefusedError: if it may not connect
        :raises EnclaveBusyError: if there are too many
        """
        uid = authorise_peer(accepted)
        if len(self._connections) > self.limits.connections:
            raise EnclaveBusyError(
                "The enclave has no free connection",
                expected=f"at most {self.limits.connections} connections",
            )
        return Session(self._enclave, Peer(uid=uid))

    def _farewell(self) -> None:
        """Answer what has come, and close every connection."""
        while self._ready:
            self._turn()
        for connection in list(self._connections.values()):
            connection.end()
        while self._connections:
            for descriptor, _ in self._epoll.poll(_SWEEP, _TURN):
                self._connections[descriptor].written()
            self.time = time.monotonic()
            self._sweep()

    # --- turns ------------------------------------------------------------------------------------

    def _queue(self, connection: Connection) -> None:
        connection.queued = True
        self._ready.append(connection)

    def _turn(self) -> None:
        now, budget, ready = self._clock(), _TURN, self._ready
        # In the order of the first answer, each once.
        touched: dict[Connection, None] = {}
        while ready and budget:
            connection = ready.popleft()
            touched[connection] = None
            budget -= 1
            try:
                connection.queued = connection.answer(now)
            except Exception as error:  # noqa: BLE001 -- one client's fault must not end the others
                log.error("connection ended, failed inside: %s", type(error).__name__)
                connection.queued = False
                connection.abort()
            if connection.queued:
                ready.append(connection)
        try:
            self._enclave.flush()
        except Exception as error:  # noqa: BLE001 -- whatever it is: no answer without its record
            log.error("answers withheld, nothing could be recorded: %s", type(error).__name__)
            for connection in touched:
                connection.abort()
            return
        for connection in touched:
            if connection.settle() and not connection.queued:
                self._queue(connection)
        if self.held > self.limits.memory:
            self._evict()

    def _evict(self) -> None:
        """Hang up on those whose unfinished frames are the oldest, until the rest fits."""
        waiting = [each for each in self._connections.values() if each.held]
        for connection in sorted(waiting, key=lambda each: each.deadline):
            if self.held <= self.limits.memory:
                return
            log.warning("connection ended: unfinished frames hold too much memory")
            connection.abort()

    def _sweep(self) -> None:
        self._swept = self.time
        for connection in [c for c in self._connections.values() if c.deadline < self.time]:
            connection.abort()
