"""One client's socket: bytes in, frames out, and how long the client may take. What is said is ``session``'s affair."""

from __future__ import annotations

import logging
import select
import socket
from typing import Final, Protocol

from xmtp_tee.enclave.config import Limits
from xmtp_tee.enclave.session import Session, State

log = logging.getLogger("xmtp_tee.enclave")

CHUNK: Final = 64 << 10
"""Bytes read at once; also what may be answered before a client must read."""

FAREWELL: Final = 2.0
"""Seconds for a client to take its last answer when its connection is closed."""

NEVER: Final = float("inf")

_NOTHING, _IN, _OUT = 0, select.EPOLLIN, select.EPOLLOUT


class Host(Protocol):
    """What a connection needs of its server."""

    limits: Limits
    chunk: memoryview
    time: float
    held: int
    """Bytes of all clients that are not worked on yet."""

    def watch(self, connection: Connection, events: int) -> None:
        """Look for these events of its socket from now on."""

    def gone(self, connection: Connection) -> None:
        """Forget it: its socket is about to be closed."""


class Connection:
    """One client. ``deadline``: when it is hung up on unless something happens before."""

    def __init__(self, host: Host, connected: socket.socket) -> None:
        self.socket = connected
        self.descriptor = connected.fileno()
        self.held = 0
        """Bytes that are not worked on yet."""
        self.deadline = host.time + host.limits.handshake
        self.queued = False
        """Whether it has a place in the next turn."""
        self.session: Session | None = None
        self._host = host
        self._out: list[bytes] = []
        self._out_size = 0
        self._unsent = memoryview(b"")
        self._half_closed = self._ending = self._closed = self._in_frame = False
        self._watched = _IN

    def read(self) -> bool:
        """Take in what has come; return whether there may be something to answer."""
        if self._ending or self.session is None:
            return False
        chunk = self._host.chunk
        try:
            size = self.socket.recv_into(chunk)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            self.abort()
            return False
        if size:
            self.session.feed(bytes(chunk[:size]))
        else:
            self._half_closed = True
        return True

    def answer(self, now: int) -> bool:
        """Have the next request answered at ``now``; return whether another may be waiting.

        What is answered stays here until :meth:`settle`.
        """
        session = self.session
        if session is None or self._ending or self._unsent or self._out_size > CHUNK:
            return False
        answer = session.next_answer(now)
        if answer is not None:
            self._out.append(answer)
            self._out_size += len(answer)
            self._in_frame = False
            return bool(session.buffered) or self._half_closed or session.state is not State.SERVING
        if session.state is State.CLOSED or self._half_closed:
            if session.mid_frame:
                log.info("a client left in the middle of a frame")
            self._ending = True
        return False

    def say(self, frame: bytes) -> None:
        """Have a frame sent by the next :meth:`settle`."""
        self._out.append(frame)
        self._out_size += len(frame)

    def settle(self) -> bool:
        """Send what has been answered and wait for what must come next; return whether there is more to answer."""
        full = self._out_size > CHUNK
        if self._out:
            self._unsent = memoryview(self._out[0] if len(self._out) == 1 else b"".join(self._out))
            self._out.clear()
            self._out_size = 0
        if self._unsent and not self._send():
            return False
        session = self.session
        if self._ending or session is None:
            self._close()
            return False
        if self.queued or full:
            # What it sent is not worked on yet: it must wait with sending more.
            self._count(session.buffered)
            self._watch(_NOTHING)
            return True
        self._wait(session)
        return False

    def written(self) -> bool:
        """Go on sending; return whether there may be something to answer, now that there is room."""
        if not self._send():
            return False
        if self._ending:
            self._close()
            return False
        return True

    def end(self) -> None:
        """Close the connection once its last answer has been taken, or its time is over."""
        self._ending = True
        self.deadline = self._host.time + FAREWELL
        self.settle()

    def abort(self) -> None:
        """Close the connection now; what was to be sent is dropped."""
        self._out.clear()
        self._unsent = memoryview(b"")
        self._close()

    # --- inside -----------------------------------------------------------------------------------

    def _send(self) -> bool:
        """Send on; return whether all is sent."""
        if self._closed:
            return False
        try:
            sent = self.socket.send(self._unsent)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self.abort()
            return False
        self._unsent = self._unsent[sent:]
        if not self._unsent:
            return True
        if self._watched != _OUT:
            longest = FAREWELL if self._ending else self._host.limits.write
            self.deadline = self._host.time + longest
            self._count(0 if self.session is None else self.session.buffered)
        self._watch(_OUT)
        return False

    def _wait(self, session: Session) -> None:
        """Set what must come next, and by when."""
        buffered = session.buffered
        if buffered or self.held:
            self._count(buffered)
        if session.state is State.SERVING:
            if not session.mid_frame:
                self._in_frame, self.deadline = False, NEVER
            elif not self._in_frame:
                # From the first byte of a frame on; its further bytes earn no more time.
                self._in_frame, self.deadline = True, self._host.time + self._host.limits.frame
        self._watch(_IN)

    def _watch(self, events: int) -> None:
        if events != self._watched and not self._closed:
            self._watched = events
            self._host.watch(self, events)

    def _count(self, held: int) -> None:
        self._host.held += held - self.held
        self.held = held

    def _close(self) -> None:
        if self._closed:
            return
        self._closed = self._ending = True
        self.session = None
        self._count(0)
        self._host.gone(self)
        self.socket.close()
