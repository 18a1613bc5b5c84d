"""A process's memory after many epochs: what has been used up is in it nowhere."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.mls.memory_scan import MASK

ROOT = Path(__file__).resolve().parents[2]


def writable_memory(pid: int) -> list[bytes]:
    """The writable memory of a process, region by region."""
    regions = []
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    with Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for line in maps:
            span, rights, *_ = line.split()
            if rights.startswith("rw") and "[v" not in line:
                begin, end = (int(each, 16) for each in span.split("-"))
                memory.seek(begin)
                regions.append(memory.read(end - begin))
    return regions


def found_after(epochs: int) -> tuple[int, Counter[str]]:
    """(how many secrets were used up, how many of each kind are still in memory)."""
    if not Path("/proc/self/mem").exists():
        pytest.skip("no /proc")
    command = [sys.executable, "-m", "tests.mls.memory_scan", str(epochs)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            notes = json.loads(process.stdout.readline())
            try:
                regions = writable_memory(process.pid)
            except PermissionError:
                pytest.skip("this system does not let a process read its child's memory")
        finally:
            process.kill()

    def present(masked: str) -> bool:
        secret = bytes.fromhex(masked).translate(MASK)
        return any(secret in region for region in regions)

    # The search does find a secret that is still in use.
    assert present(notes["alive"])
    return len(notes["gone"]), Counter(
        kind for masked, kind in notes["gone"].items() if present(masked)
    )


def test_no_used_secret_is_in_memory_after_12_epochs() -> None:
    count, found = found_after(12)
    assert count > 100
    assert found == {}


@pytest.mark.proof
@pytest.mark.timeout(900)
def test_no_used_secret_is_in_memory_after_100_epochs() -> None:
    count, found = found_after(100)
    assert count > 1000
    assert found == {}
