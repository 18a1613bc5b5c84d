"""The attackers of the overload test: 1,000 connections in one process, all of them made first, until stdin ends.

Four kinds take turns: half a frame that never ends, a frame that drips, a frame that announces more than there may be,
and bytes that are no message. Who is hung up on connects again.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import time

from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.codec import encode_request, request
from xmtp_tee.wire.limits import PROTOCOL_VERSION

HELLO = encode_request(wire.Hello(version=PROTOCOL_VERSION))
PING = encode_request(request(1, wire.Ping()))
BIG = (100_000).to_bytes(4, "big")
ATTACKS = (
    HELLO + BIG + bytes(60_000),
    HELLO + PING[:7],
    HELLO + b"\xff\xff\xff\xff" + bytes(5000),
    HELLO + b"\x00\x00\x00\x05\xc1\xc1\xc1\xc1\xc1" + bytes(2000),
)
CONNECTIONS = 1000
PER_ROUND = 60
"""Connections that are touched before the next pause."""


def attack(path: str) -> None:
    clients: list[socket.socket | None] = [None] * CONNECTIONS
    for place in range(CONNECTIONS):
        while clients[place] is None:
            clients[place] = touched(path, None, place)
            time.sleep(0.001)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    number = rounds = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        for _ in range(PER_ROUND):
            number += 1
            place = number % CONNECTIONS
            clients[place] = touched(path, clients[place], place)
        rounds += 1
        time.sleep(0.03)
    open_ones = sum(client is not None for client in clients)
    sys.stdout.write(f"{rounds} {open_ones}\n")
    sys.stdout.flush()
    os._exit(0)


def touched(path: str, client: socket.socket | None, place: int) -> socket.socket | None:
    """Attack once more on a connection, or on a new one."""
    try:
        if client is None:
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            client.connect(path)
            client.send(ATTACKS[place % len(ATTACKS)])
        elif place % len(ATTACKS) == 1:
            client.send(b"\x00")
        elif place % len(ATTACKS) > 1:
            # Hung up on meanwhile: once more.
            client.close()
            return None
    except OSError:
        if client is not None:
            with contextlib.suppress(OSError):
                client.close()
        return None
    return client


if __name__ == "__main__":
    attack(sys.argv[1])
