"""A direct conversation end to end: a client whose keys live in the enclave against the genuine libxmtp.

    python -m benchmarks.xmtp [--messages N] [--rounds N] [--output FILE]

Both talk to the genuine libxmtp through the same local node (a process of its own), in turns, in one run. A round
sends N messages one after the other, and receives N by one sync. Wall time is the caller's; processor time is that of
this process, and for ours of the enclave's process too. Figures are medians over the rounds of the pairs' ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.enclave.support import EnclaveProcess
from tests.support.libxmtp import Peer, Wallet, texts
from xmtp_tee.client.key_manager import KeyManager
from xmtp_tee.client.xmtp import create_client
from xmtp_tee.commands.console import table

BARS = {"send": 2.0, "receive": 2.0}
TICKS = os.sysconf("SC_CLK_TCK")

Spent = tuple[float, float]
"""Seconds by the clock, and of processors."""


@contextmanager
def local_node() -> Iterator[str]:
    """Run the local XMTP network in a process of its own; yield its URL."""
    command = [str(Path(sys.executable).with_name("xmtp-tee")), "devnode", "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def processor_seconds(pid: int) -> float:
    """Return what a process has used, user and system, by /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def measured(work: Awaitable[Any], *pids: int) -> Spent:
    """Return what ``work`` takes here and in the processes named."""
    before = time.process_time() + sum(map(processor_seconds, pids))
    start = time.perf_counter()
    await work
    clock = time.perf_counter() - start
    return clock, time.process_time() + sum(map(processor_seconds, pids)) - before


async def send_all(send: Callable[[str], Awaitable[Any]], label: str, count: int) -> None:
    """Send texts, each after the one before."""
    for index in range(count):
        await send(f"{label} {index}")


async def run(messages: int, rounds: int) -> dict[str, list[tuple[Spent, Spent]]]:
    """Return for each act the pairs (ours, theirs), a pair a round."""
    pairs: dict[str, list[tuple[Spent, Spent]]] = {"send": [], "receive": []}
    with local_node() as url, tempfile.TemporaryDirectory(prefix="xmtp-tee-") as name:
        folder = Path(name)
        process = EnclaveProcess(folder)
        try:
            keys = KeyManager(process.socket, 30)
            wallet = keys.generate_key("wallet")
            assert wallet.owner is not None
            keys.generate_identity_key(wallet.owner)
            agent = await create_client(
                keys, wallet.owner, node_url=url, database=folder / "agent.sqlite"
            )
            genuine, friend, other = [await _peer(url, folder / each) for each in "abc"]
            async with agent:
                ours = await agent.conversations.new_dm(friend.address)
                await ours.send("first")
                theirs = await genuine.dm(other.inbox_id)
                await theirs.send_text("first")
                await friend.sync()
                await other.sync()
                # The conversations are there already, so these find them and make none.
                to_us = await friend.dm(agent.inbox_id)
                to_them = await other.dm(genuine.inbox_id)
                enclave = process.process.pid
                for number in range(rounds):
                    label = f"round {number}"
                    sent = (
                        await measured(send_all(ours.send, label, messages), enclave),
                        await measured(send_all(theirs.send_text, label, messages)),
                    )
                    await send_all(to_us.send_text, label, messages)
                    await send_all(to_them.send_text, label, messages)
                    received = (
                        await measured(ours.sync(), enclave),
                        await measured(theirs.sync()),
                    )
                    pairs["send"].append(sent)
                    pairs["receive"].append(received)
                await to_us.sync()
                await to_them.sync()
                # What was measured was done: everything that anybody sent has arrived.
                expected = 1 + 2 * messages * rounds
                assert len(await texts(to_us)) == len(await texts(theirs)) == expected
                opened = await ours.messages(limit=2 * expected)
                assert len([each for each in opened if each.text]) == expected
            keys.close()
        finally:
            process.end()
    return pairs


async def _peer(url: str, database: Path) -> Peer:
    wallet = Wallet()
    return await Peer.connect(url, wallet.address, wallet, database)


def summary(pairs: dict[str, list[tuple[Spent, Spent]]], messages: int) -> dict[str, Any]:
    """Return the figures: milliseconds a message, and the ratios."""
    found: dict[str, Any] = {}
    for act, rounds in pairs.items():
        for index, measure in enumerate(("clock", "processor")):
            ours = [pair[0][index] for pair in rounds]
            theirs = [pair[1][index] for pair in rounds]
            found[f"{act}_{measure}"] = {
                "ours_ms": round(statistics.median(ours) / messages * 1000, 3),
                "libxmtp_ms": round(statistics.median(theirs) / messages * 1000, 3),
                "ratio": round(
                    statistics.median(o / t for o, t in zip(ours, theirs, strict=True)), 2
                ),
                "bar": BARS[act],
            }
    return found


def missed(found: dict[str, Any]) -> list[str]:
    """Return the figures above their bar."""
    return [name for name, figure in found.items() if figure["ratio"] > figure["bar"]]


def main() -> int:
    """Measure, print, and write the figures where they are wanted; return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--messages", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    found = summary(asyncio.run(run(arguments.messages, arguments.rounds)), arguments.messages)
    rows = [
        [name, str(f["ours_ms"]), str(f["libxmtp_ms"]), str(f["ratio"]), str(f["bar"])]
        for name, f in found.items()
    ]
    print("\n".join(table(["act, per message", "ours ms", "libxmtp ms", "ratio", "bar"], rows)))
    if arguments.output:
        report = {
            "what": "a direct conversation end to end, against the genuine libxmtp, medians per message",
            "peer": "xmtp-bindings 0.1.8 (libxmtp 1.10)",
            "messages": arguments.messages,
            "rounds": arguments.rounds,
            "python": platform.python_version(),
            "cpus": os.cpu_count(),
            "figures": found,
        }
        arguments.output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    worst = missed(found)
    print("missed: " + (", ".join(worst) or "none"))
    return 1 if worst else 0


if __name__ == "__main__":
    sys.exit(main())
