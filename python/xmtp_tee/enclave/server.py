"""The server: connections, their limits and their ends. What is said on them is ``session``'s
affair.

Requests are handled one after the other, so that the store has one writer, in turns: everybody who
has sent something gets one answer, then again, until a turn's budget is used up; then what the turn
has logged is written down, and only then the answers leave. A client that sends rubbish, stops half
way, reads slowly or vanishes loses its own connection and nothing else; all clients together hold no
more memory than the limits say.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Callable
from typing import Final, cast

from xmtp_tee.enclave.callers import Peer
from xmtp_tee.enclave.config import Limits
from xmtp_tee.enclave.listener import Listener, authorise_peer
from xmtp_tee.enclave.service import Enclave
from xmtp_tee.enclave.session import Session, State
from xmtp_tee.errors import XmtpTeeError
from xmtp_tee.wire.codec import encode
from xmtp_tee.wire.faults import EnclaveBusyError, to_failure

log = logging.getLogger("xmtp_tee.enclave")

_CHUNK: Final = 64 << 10
"""Bytes read at once, into one buffer for all; also what may wait to be sent before a client must
read.
"""

_TURN: Final = 256
"""Answers between two looks at the sockets."""

_SWEEP: Final = 0.1
"""Seconds between two looks at the deadlines."""

_FAREWELL: Final = 2.0
"""Seconds for a client to take its last answer when its connection is closed."""

_BACKLOG: Final = 64


class Server:
    """Serves one enclave on one listening socket until told to stop."""

    def __init__(self, enclave: Enclave, limits: Limits, clock: Callable[[], int]) -> None:
        """``clock`` returns unix seconds."""
        self._enclave = enclave
        self._limits = limits
        self._clock = clock
        self._clients: set[_Client] = set()
        self._ready: deque[_Client] = deque()
        self._turning = False
        self._gone: asyncio.Event | None = None
        self.chunk = memoryview(bytearray(_CHUNK))
        self.held = 0
        """Bytes of all clients that are not worked on yet."""

    async def serve(
        self, listener: Listener, stop: asyncio.Event, ready: Callable[[], None]
    ) -> None:
        """Accept clients until ``stop`` is set; then finish what has begun and return.

        ``ready`` is called once clients can connect.
        """
        loop = asyncio.get_running_loop()
        self._gone = asyncio.Event()
        server = await loop.create_unix_server(
            lambda: _Client(self, loop), sock=listener.socket, backlog=_BACKLOG
        )
        self._sweep(loop)
        try:
            ready()
            await stop.wait()
        finally:
            server.close()
            self._turn()
            for client in list(self._clients):
                client.end()
            while self._clients:
                self._gone.clear()
                self._sweep_once(loop.time())
                try:
                    await asyncio.wait_for(self._gone.wait(), _SWEEP)
                except TimeoutError:
                    continue
            self._sweeper.cancel()

    # --- what clients tell ------------------------------------------------------------------------

    def admit(self, client: _Client, peer: socket.socket) -> Session:
        """Return the session of a new client.

        :raises PeerRefusedError: if it may not connect
        :raises EnclaveBusyError: if there are too many
        """
        self._clients.add(client)
        uid = authorise_peer(peer)
        if len(self._clients) > self._limits.connections:
            raise EnclaveBusyError(
                "The enclave has no free connection",
                expected=f"at most {self._limits.connections} connections",
            )
        return Session(self._enclave, Peer(uid=uid))

    def leave(self, client: _Client) -> None:
        """Forget a client whose connection is over."""
        self._clients.discard(client)
        if self._gone is not None:
            self._gone.set()

    def queue(self, client: _Client) -> None:
        """Give a client a place in the next turn."""
        self._ready.append(client)
        if not self._turning:
            self._turning = True
            if len(self._clients) == 1:
                # Nobody to share the turn with: one look at the sockets fewer.
                self._turn()
            else:
                client.loop.call_soon(self._turn)

    @property
    def limits(self) -> Limits:
        """The limits in force."""
        return self._limits

    # --- turns ------------------------------------------------------------------------------------

    def _turn(self) -> None:
        self._turning = True
        now, budget, ready = self._clock(), _TURN, self._ready
        answered: dict[_Client, None] = {}
        while ready and budget:
            client = ready.popleft()
            if client.answer(now):
                answered[client] = None
                budget -= 1
                if client.idle:
                    client.queued = False
                else:
                    ready.append(client)
            else:
                client.queued = False
        try:
            self._enclave.flush()
        except Exception as error:  # noqa: BLE001 -- whatever it is: no answer without its record
            log.error("answers withheld, nothing could be recorded: %s", type(error).__name__)
            for client in answered:
                client.abort()
        for client in answered:
            client.send()
        self._turning = bool(ready)
        if self._turning:
            ready[0].loop.call_soon(self._turn)
        if self.held > self._limits.memory:
            self._evict()

    def _evict(self) -> None:
        """Hang up on those whose unfinished frames are the oldest, until the rest fits."""
        waiting = (client for client in self._clients if client.held)
        for client in sorted(waiting, key=lambda client: client.deadline):
            if self.held <= self._limits.memory:
                return
            log.warning("connection ended: unfinished frames hold too much memory")
            client.abort()

    # --- deadlines --------------------------------------------------------------------------------

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        self._sweep_once(loop.time())
        self._sweeper = loop.call_later(_SWEEP, self._sweep, loop)

    def _sweep_once(self, now: float) -> None:
        for client in [client for client in self._clients if client.deadline < now]:
            client.abort()


_NEVER: Final = float("inf")


class _Client(asyncio.BufferedProtocol):
    """One connection. ``deadline``: when it is hung up on unless something happens before."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.queued = False
        self.idle = False
        """Whether all that came is answered."""
        self.deadline = loop.time() + server.limits.handshake
        self._server = server
        self.held = 0
        """Bytes that are not worked on yet."""
        self._session: Session | None = None
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._out_size = 0
        self._blocked = self._paused = self._ending = self._half_closed = False
        self._greeted = self._in_frame = False

    # --- asyncio's side ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_CHUNK)
        try:
            self._session = self._server.admit(self, transport.get_extra_info("socket"))
        except XmtpTeeError as error:
            log.warning("connection refused: %s", error.code)
            self._transport.write(encode(to_failure(0, error)))
            self.end()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._server.chunk

    def buffer_updated(self, nbytes: int) -> None:
        session = self._session
        if session is None or self._ending:
            return
        session.feed(bytes(self._server.chunk[:nbytes]))
        self._count(session.buffered)
        if self.queued or self._blocked:
            # There is more to do for it than gets done: it must wait with sending.
            self._pause()
        else:
            self._queue()

    def eof_received(self) -> bool:
        self._half_closed = True
        if not self.queued and not self._blocked:
            self._queue()
        return True

    def pause_writing(self) -> None:
        self._blocked = True
        self.deadline = self.loop.time() + self._server.limits.write

    def resume_writing(self) -> None:
        self._blocked = False
        if not self._ending:
            self._wait()
            if not self.queued:
                self._queue()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ending = True
        self._session = None
        self._count(0)
        self._server.leave(self)

    # --- the server's side ------------------------------------------------------------------------

    def answer(self, now: int) -> bool:
        """Have the next request answered; return whether there was one and more may come."""
        session = self._session
        if session is None or self._ending or self._blocked or self._out_size > _CHUNK:
            return False
        answer = session.next_answer(now)
        if answer is not None:
            self._out.append(answer)
            self._out_size += len(answer)
            self._in_frame = False
            more = session.buffered or self._half_closed or self._paused
            if not more and session.state is State.SERVING:
                # All that came is answered: nothing to look for in a further turn.
                self.idle, self.deadline = True, _NEVER
                self._count(0)
            return True
        if session.state is State.CLOSED or self._half_closed:
            if session.mid_frame:
                log.info("a client left in the middle of a frame")
            self._flush()
            self.end()
            return False
        self._count(session.buffered)
        self._wait()
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return False

    def send(self) -> None:
        """Send what has been answered."""
        full = self._out_size > _CHUNK
        self._flush()
        if full and not self._blocked and not self.queued and not self._ending:
            self._queue()

    def end(self) -> None:
        """Close the connection once its last answer has been taken, or its time is over."""
        if self._ending and self._session is None:
            return
        self._ending = True
        self.deadline = self.loop.time() + _FAREWELL
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close the connection now; what was to be sent is dropped."""
        self._ending = True
        self._out.clear()
        self._count(0)
        self.deadline = _NEVER
        if self._transport is not None:
            self._transport.abort()

    def _queue(self) -> None:
        self.queued, self.idle = True, False
        self._server.queue(self)

    def _count(self, held: int) -> None:
        self._server.held += held - self.held
        self.held = held

    def _pause(self) -> None:
        if not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def _flush(self) -> None:
        if self._out and self._transport is not None and not self._transport.is_closing():
            self._transport.write(self._out[0] if len(self._out) == 1 else b"".join(self._out))
        self._out.clear()
        self._out_size = 0

    def _wait(self) -> None:
        """Set the deadline for what must come next."""
        session = self._session
        if session is None or session.state is not State.SERVING:
            return
        if not session.mid_frame:
            self._in_frame, self.deadline = False, _NEVER
        elif not self._in_frame:
            # From the first byte of a frame on; its further bytes earn no more time.
            self._in_frame, self.deadline = True, self.loop.time() + self._server.limits.frame
