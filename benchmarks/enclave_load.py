"""The load of the enclave's benchmark: many connections in one process, a request outstanding on each.

    python -m benchmarks.enclave_load SOCKET SECONDS CLIENTS FRAME

Reads frames (hex, one a line) from stdin and sends them in turn; prints JSON: answers per second, and the median time
of an answer in microseconds.
"""

from __future__ import annotations

import json
import selectors
import socket
import statistics
import sys
import time

from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.codec import encode_request
from xmtp_tee.wire.limits import PROTOCOL_VERSION


def connect(path: str) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)
    client.sendall(encode_request(wire.Hello(version=PROTOCOL_VERSION)))
    if b"welcome" not in client.recv(1 << 16):
        raise SystemExit("the enclave does not welcome this client")
    return client


_buffer = bytearray(1 << 20)


def answer(client: socket.socket) -> bytes:
    """Read one frame; return its first 200 bytes."""
    have = client.recv_into(_buffer)
    size = 4 + int.from_bytes(_buffer[:4], "big")
    while have < size:
        have += client.recv_into(memoryview(_buffer)[have:])
    return bytes(_buffer[:200])


def run(path: str, frames: list[bytes], clients: int, seconds: float) -> dict[str, float]:
    sockets = [connect(path) for _ in range(clients)]
    times: list[float] = []
    now = time.perf_counter
    begin, end, sent = now(), now() + seconds, 0
    if clients == 1:
        (client,) = sockets
        while (start := now()) < end:
            client.sendall(frames[len(times) % len(frames)])
            data = answer(client)
            times.append(now() - start)
            check(data)
    else:
        selector = selectors.DefaultSelector()
        starts: dict[object, float] = {}
        for client in sockets:
            selector.register(client, selectors.EVENT_READ)
            starts[client] = now()
            client.sendall(frames[sent % len(frames)])
            sent += 1
        while now() < end:
            for key, _ in selector.select():
                client = key.fileobj  # type: ignore[assignment]
                check(answer(client))
                stop = now()
                times.append(stop - starts[client])
                starts[client] = stop
                client.sendall(frames[sent % len(frames)])
                sent += 1
    took = now() - begin
    return {"per_second": len(times) / took, "p50_us": statistics.median(times) * 1e6}


def check(data: bytes) -> None:
    """A refusal is no answer."""
    if b"reply" not in data[:64] or b"failure" in data:
        raise SystemExit(f"refused: {data[:200]!r}")


if __name__ == "__main__":
    lines = [bytes.fromhex(line) for line in sys.stdin.read().split()]
    print(json.dumps(run(sys.argv[1], lines, int(sys.argv[3]), float(sys.argv[2]))))
