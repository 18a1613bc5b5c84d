"""MLS: our member against mls-rs (agentvault-mls-rs-uniffi), in one run, suite 0x0001.

python benchmarks/mls.py [--sizes 2,50,250,1000] [--output benchmarks/results/mls.json]

Both sides run in this process, one after the other, on the same groups' shapes; mls-rs through its
Python wheel, as a user would call it. Figures are medians of milliseconds of CPU time, which other
processes on the machine disturb little.

Blank: everybody was added at once by one member, and the measured commit is among the first ones
since, so most parents are blank. Filled: everybody has committed once, one after the other, so no
parent is blank. A commit is measured with its creation alone; it renews the committer's keys.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mls_rs_uniffi as rs

from xmtp_tee import mls

NOW = 1_800_000_000
BARS = {"send": 1.0}
BAR = 2.5
TEXT = b"x" * 200


class Ours:
    """Groups of our members."""

    name = "ours"

    def client(self, name: str) -> Any:
        key = mls.SignatureKey(os.urandom(32))
        return name, key

    def package(self, client: Any) -> Any:
        name, key = client
        return mls.generate_key_package(
            mls.SUITE_1,
            key,
            mls.BasicCredential(name.encode()),
            mls.Capabilities((1,), (1, 3), (0x0A,), (), (1,)),
            mls.Lifetime(0, 1 << 40),
            entropy=os.urandom,
        )

    def create(self, client: Any) -> mls.Group:
        name, key = client
        return mls.Group.create(
            mls.SUITE_1,
            b"group",
            key,
            mls.BasicCredential(name.encode()),
            mls.Capabilities((1,), (1, 3), (0x0A,), (), (1,)),
            mls.Lifetime(0, 1 << 40),
            entropy=os.urandom,
            config=mls.Config(private_handshake=False),
        )

    def add(self, group: mls.Group, packages: list[Any]) -> tuple[bytes, bytes]:
        intent = mls.CommitIntent(add=tuple(each.package for each in packages))
        made = group.commit(intent, entropy=os.urandom, now=NOW)
        assert made.welcome is not None
        return made.commit, made.welcome

    def join(self, client: Any, welcome: bytes, package: Any) -> mls.Group:
        config = mls.Config(private_handshake=False)
        return mls.Group.join(welcome, package, client[1], now=NOW, config=config)

    def commit(self, group: mls.Group) -> bytes:
        return group.commit(mls.CommitIntent(), entropy=os.urandom, now=NOW).commit

    def process(self, group: mls.Group, message: bytes) -> Any:
        return group.process(message, now=NOW)

    def send(self, group: mls.Group) -> bytes:
        return group.send(TEXT, entropy=os.urandom)


class Theirs:
    """Groups of mls-rs. Messages go through bytes, as they would between two machines."""

    name = "mls-rs"

    def client(self, name: str) -> Any:
        keys = rs.generate_signature_keypair(rs.CipherSuite.CURVE25519_AES128)
        return rs.Client(name.encode(), keys, rs.client_config_default())

    def package(self, client: Any) -> Any:
        return client.generate_key_package_message()

    def create(self, client: Any) -> Any:
        return client.create_group(b"group")

    def add(self, group: Any, packages: list[Any]) -> tuple[bytes, bytes]:
        made = group.add_members(packages)
        return made.commit_message.to_bytes(), made.welcome_message.to_bytes()

    def join(self, client: Any, welcome: bytes, package: Any) -> Any:
        return client.join_group(None, rs.Message.from_bytes(welcome)).group

    def commit(self, group: Any) -> bytes:
        return bytes(group.commit().commit_message.to_bytes())

    def process(self, group: Any, message: bytes) -> Any:
        return group.process_incoming_message(rs.Message.from_bytes(message))

    def send(self, group: Any) -> bytes:
        return bytes(group.encrypt_application_message(TEXT).to_bytes())


class Stopwatch:
    """Collects the times of named operations."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = {}

    def __call__(self, name: str, action: Callable[..., Any], *arguments: Any) -> Any:
        begin = time.process_time()
        result = action(*arguments)
        self.times.setdefault(name, []).append((time.process_time() - begin) * 1000)
        return result

    def medians(self) -> dict[str, float]:
        return {name: statistics.median(values) for name, values in self.times.items()}


def blank_group(side: Any, size: int, watch: Stopwatch) -> list[Any]:
    """A group whose members were added at once; some of them are really there."""
    clients = [side.client(f"member {i}") for i in range(size)]
    packages = [side.package(client) for client in clients[1:]]
    owner = side.create(clients[0])
    commit, welcome = watch("add all", side.add, owner, packages)
    side.process(owner, commit)
    groups = [owner]
    present = min(size - 1, PRESENT)
    for i in range(present):
        place = 1 + i * (size - 1) // present
        join = (clients[place], welcome, packages[place - 1])
        groups.append(watch("join", side.join, *join))
    return groups


def filled_group(side: Any, size: int) -> list[Any]:
    """A group in which everybody has committed after joining; the last ones are really there."""
    newest = side.client("member 0")
    groups = [side.create(newest)]
    for i in range(1, size):
        client = side.client(f"member {i}")
        package = side.package(client)
        commit, welcome = side.add(groups[-1], [package])
        groups = groups[-PRESENT:]
        for group in groups:
            side.process(group, commit)
        groups.append(side.join(client, welcome, package))
        # Those who leave here are still leaves; nobody hears from them any more.
        groups = groups[-1:] if i < size - PRESENT else groups
        renewal = side.commit(groups[-1])
        for group in groups:
            side.process(group, renewal)
    return groups


def commits(side: Any, groups: list[Any], repeat: int, name: str, watch: Stopwatch) -> None:
    """Commits of some members, processed by the others."""
    for i in range(repeat):
        committer = groups[i % len(groups)]
        made = watch(f"commit, {name}", side.commit, committer)
        for group in groups:
            if group is committer:
                side.process(group, made)
            else:
                watch(f"process, {name}", side.process, group, made)


def measure(side: Any, size: int, repeat: int, watch: Stopwatch) -> None:
    """Measure one side once at one size."""
    commits(side, blank_group(side, size, watch), min(repeat, PRESENT), "blank tree", watch)
    groups = filled_group(side, size)
    commits(side, groups, repeat, "filled tree", watch)
    for _ in range(40 * repeat):
        message = watch("send", side.send, groups[0])
        watch("receive", side.process, groups[-1], message)


PRESENT = 4
"""So many members of a group are really there; the others are leaves that were added."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="2,50,250,1000")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument(
        "--output", type=Path, default=Path(__file__).parent / "results" / "mls.json"
    )
    arguments = parser.parse_args()
    results: dict[str, dict[str, dict[str, float]]] = {}
    worst: list[str] = []
    for side in (Ours(), Theirs()):
        measure(side, 4, 2, Stopwatch())  # warm
    print(f"{'leaves':>6}  {'operation':22} {'ours ms':>9} {'mls-rs ms':>9} {'ratio':>6}  bar")
    for size in map(int, arguments.sizes.split(",")):
        watches = {"ours": Stopwatch(), "mls-rs": Stopwatch()}
        # What is small is measured often, and the sides in turn.
        for _ in range(max(1, min(20, 250 // size))):
            for side in (Ours(), Theirs()):
                gc.collect()
                measure(side, size, arguments.repeat, watches[side.name])
        sides = {name: watch.medians() for name, watch in watches.items()}
        rows = {}
        for name, ours in sides["ours"].items():
            theirs = sides["mls-rs"][name]
            bar = BARS.get(name, BAR)
            rows[name] = {
                "ours_ms": round(ours, 4),
                "mls_rs_ms": round(theirs, 4),
                "ratio": round(ours / theirs, 3),
                "bar": bar,
            }
            mark = "ok" if ours / theirs <= bar else "MISSED"
            if mark != "ok":
                worst.append(f"{name} at {size}")
            print(
                f"{size:>6}  {name:22} {ours:9.3f} {theirs:9.3f} {ours / theirs:6.2f}  {bar} {mark}"
            )
        results[str(size)] = rows
    arguments.output.write_text(
        json.dumps(
            {
                "what": "MLS member against mls-rs, suite 0x0001, medians of milliseconds of CPU time",
                "peer": "agentvault-mls-rs-uniffi 0.1.1",
                "python": platform.python_version(),
                "cpus": os.cpu_count(),
                "leaves": results,
            },
            indent=1,
        )
        + "\n",
        encoding="utf-8",
    )
    print("missed: " + (", ".join(worst) or "none"))
    return 1 if worst else 0


if __name__ == "__main__":
    sys.exit(main())
