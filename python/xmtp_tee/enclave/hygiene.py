"""What the process denies the host's other processes: core dumps, tracing, privileges gained
later.
"""

from __future__ import annotations

import ctypes
import resource
from typing import Final

# linux/prctl.h
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38


def harden() -> list[str]:
    """Apply each measure; return the names of those that took effect.

    ``no-core-dumps``: RLIMIT_CORE 0. ``not-dumpable``: no ptrace by the same user, /proc files
    owned by root. ``no-new-privs``: execve gains nothing.
    """
    done = []
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if resource.getrlimit(resource.RLIMIT_CORE) == (0, 0):
        done.append("no-core-dumps")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) == 0:
        done.append("not-dumpable")
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        done.append("no-new-privs")
    return done
