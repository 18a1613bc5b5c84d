"""What the process denies the host's other processes, and itself: core dumps, tracing, swapping,
privileges gained later; and once it serves, other files and other programs.

:func:`harden` comes first, before a secret is in memory; :func:`confine` when everything is opened and
imported. Each measure is tried and named if it took effect; none is worth more than the kernel that is
asked, which inside a TEE is part of what is measured, and outside of one is the host's.
"""

from __future__ import annotations

import ctypes
import json
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from xmtp_tee.enclave.landlock import restrict_files
from xmtp_tee.enclave.seccomp import refuse_system_calls

MEASURES: Final = {
    "no-core-dumps": "RLIMIT_CORE 0: the kernel writes no memory image",
    "not-dumpable": "no tracing by the same user; /proc files belong to root",
    "no-new-privs": "execve gains nothing",
    "not-in-dumps": "the memory that is there is marked MADV_DONTDUMP",
    "locked-memory": "no page goes to swap (mlockall; needs CAP_IPC_LOCK or no limit)",
    "landlock": "no file but the state's, the package's and the TEE's devices",
    "seccomp": "no exec, no tracing of others, no kernel modules, mounts, bpf, keys",
}

# linux/prctl.h, sys/mman.h
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
_MCL_CURRENT: Final = 1
_MCL_FUTURE: Final = 2
_MCL_ONFAULT: Final = 4
_MADV_DONTDUMP: Final = 16


def harden() -> list[str]:
    """Apply what comes first; return the names of the measures that took effect."""
    done = []
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if resource.getrlimit(resource.RLIMIT_CORE) == (0, 0):
        done.append("no-core-dumps")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) == 0:
        done.append("not-dumpable")
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        done.append("no-new-privs")
    if _mark_memory(libc):
        done.append("not-in-dumps")
    if _lock_memory(libc):
        done.append("locked-memory")
    return done


def allow_descriptors(wanted: int) -> int:
    """Raise the limit of open files to ``wanted``, as far as it goes; return what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < highest:
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))
        soft = highest
    return wanted if soft == resource.RLIM_INFINITY else soft


def confine(
    writable: Sequence[Path], readable: Sequence[Path] = (), connects: Sequence[int] = ()
) -> list[str]:
    """Take from the process what it needs no more; return the names of what took effect.

    ``writable``, ``readable``: folders and files that stay within reach, beside Python's own.
    ``connects``: TCP ports that it may still connect to. For ever: there is no way back.
    """
    preload()
    done = []
    if restrict_files(writable, [*_python_folders(), *readable], connects):
        done.append("landlock")
    if refuse_system_calls():
        done.append("seccomp")
    return done


def preload() -> None:
    """Import what is otherwise imported on first use."""
    # The package may lie where only its owner can read, and codecs are looked up by name.
    import encodings.ascii
    import encodings.idna
    import encodings.punycode

    import shamir_mnemonic  # type: ignore[import-untyped]

    from xmtp_tee.attestation import judge, offline
    from xmtp_tee.backup import age, keystore, sealing

    del encodings, shamir_mnemonic, judge, offline, age, keystore, sealing


def _lock_memory(libc: ctypes.CDLL) -> bool:
    unlimited = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY
    if not unlimited and not _may_lock():
        # Under a limit, later allocations would fail instead of being swapped.
        return False
    return bool(libc.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT) == 0)


def _may_lock() -> bool:
    """Whether the process has CAP_IPC_LOCK (14)."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return False
    effective = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective.split()[1], 16) >> 14 & 1)


def _mark_memory(libc: ctypes.CDLL) -> bool:
    """Mark private writable memory; what is mapped later is covered by the other measures alone."""
    try:
        lines = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    marked = 0
    for line in lines:
        place, flags = line.split()[:2]
        if flags.startswith("rw") and flags.endswith("p") and "[v" not in line:
            begin, end = (int(part, 16) for part in place.split("-"))
            marked += libc.madvise(begin, end - begin, _MADV_DONTDUMP) == 0
    return marked > 0


def _python_folders() -> list[Path]:
    package = Path(__file__).parents[2]
    return [Path(sys.prefix), Path(sys.base_prefix), package, *map(Path, ("/usr/lib", "/lib"))]


def probe() -> dict[str, bool]:
    """Apply everything to this very process and return what took effect. For ``doctor``, in a process
    of its own.
    """
    done = {*harden(), *confine([Path.cwd()])}
    return {name: name in done for name in MEASURES}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(probe()) + "\n")
