"""The server: connections, their limits and their ends. What is said on them is ``session``'s
affair.

Operations run one after the other on the event loop, so that the store has one writer. A client
that sends rubbish, stops half way, reads slowly or vanishes loses its own connection and nothing
else.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from xmtp_tee.enclave.config import Limits
from xmtp_tee.enclave.listener import Listener, authorise_peer
from xmtp_tee.enclave.service import Enclave
from xmtp_tee.enclave.session import Session, State
from xmtp_tee.errors import XmtpTeeError
from xmtp_tee.wire.codec import encode
from xmtp_tee.wire.faults import EnclaveBusyError, to_failure

log = logging.getLogger("xmtp_tee.enclave")

_CHUNK = 64 << 10
_FAREWELL = 2.0
"""Seconds for a client to take its last answer when its connection is closed."""


class Server:
    """Serves one enclave on one listening socket until told to stop."""

    def __init__(self, enclave: Enclave, limits: Limits, clock: Callable[[], int]) -> None:
        """``clock`` returns unix seconds."""
        self._enclave = enclave
        self._limits = limits
        self._clock = clock
        self._connections: set[asyncio.Task[None]] = set()

    async def serve(
        self, listener: Listener, stop: asyncio.Event, ready: Callable[[], None]
    ) -> None:
        """Accept clients until ``stop`` is set; then finish what has begun and return.

        ``ready`` is called once clients can connect.
        """
        server = await asyncio.start_unix_server(self._accept, sock=listener.socket, backlog=128)
        try:
            ready()
            await stop.wait()
        finally:
            server.close()
            tasks = list(self._connections)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:  # pragma: no cover -- asyncio runs this as a task
            raise RuntimeError("not in a task")
        self._connections.add(task)
        try:
            await self._serve_admitted(reader, writer)
        except (ConnectionError, TimeoutError):
            writer.transport.abort()
        except asyncio.CancelledError:
            # The enclave stops. Answers that are written already still go out below.
            log.debug("connection ended by the enclave's stop")
        finally:
            self._connections.discard(task)
            await self._close(writer)

    async def _serve_admitted(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            authorise_peer(writer.get_extra_info("socket"))
            if len(self._connections) > self._limits.connections:
                raise EnclaveBusyError(
                    "The enclave has no free connection",
                    expected=f"at most {self._limits.connections} connections",
                )
        except XmtpTeeError as error:
            log.warning("connection refused: %s", error.code)
            writer.write(encode(to_failure(0, error)))
            return
        await self._talk(reader, writer)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        session = Session(self._enclave)
        deadline: float | None = loop.time() + self._limits.handshake
        while session.state is not State.CLOSED:
            async with asyncio.timeout_at(deadline):
                data = await reader.read(_CHUNK)
            if not data:
                if session.mid_frame:
                    log.info("a client left in the middle of a frame")
                return
            session.feed(data)
            progress = False
            while (answer := session.next_answer(self._clock())) is not None:
                progress = True
                writer.write(answer)
                async with asyncio.timeout(self._limits.write):
                    await writer.drain()
                # One answer, then the others' turn: a client that sends ahead gets no more than its
                # share.
                await asyncio.sleep(0)
            if session.state is State.SERVING:
                if not session.mid_frame:
                    deadline = None
                elif progress or deadline is None:
                    deadline = loop.time() + self._limits.frame

    async def _close(self, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            writer.close()
            async with asyncio.timeout(_FAREWELL):
                await writer.wait_closed()
            return
        writer.transport.abort()
