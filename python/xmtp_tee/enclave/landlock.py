"""Landlock: the files and ports that the process may still reach (Linux, landlock(7))."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final

# linux/landlock.h; the system calls have these numbers on every architecture.
_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_VERSION_FLAG: Final = 1
_RULE_PATH_BENEATH: Final = 1
_RULE_NET_PORT: Final = 2

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_CHAR, _MAKE_DIR = 1 << 4, 1 << 5, 1 << 6, 1 << 7
_MAKE_REG, _MAKE_SOCK, _MAKE_FIFO, _MAKE_BLOCK = 1 << 8, 1 << 9, 1 << 10, 1 << 11
_MAKE_SYM, _REFER, _TRUNCATE, _IOCTL_DEV = 1 << 12, 1 << 13, 1 << 14, 1 << 15
_BIND_TCP, _CONNECT_TCP = 1 << 0, 1 << 1

_READ: Final = _READ_FILE | _READ_DIR
_WRITE: Final = (
    (_READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _MAKE_SOCK)
    | _REFER
    | _TRUNCATE
)
_FILE_RIGHTS: Final = _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV | _EXECUTE
"""What a rule on a file, not a folder, may allow."""

# Rights that each version of the interface knows.
_HANDLED: Final = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_NETWORK_SINCE: Final = 4

DEVICES: Final = tuple(
    map(
        Path,
        ("/dev/urandom", "/dev/attestation", "/dev/nsm", "/dev/sev-guest", "/dev/tdx_guest",
         "/sys/kernel/config/tsm"),
    )
)  # fmt: skip
"""What drivers and the source of randomness open."""


def restrict_files(
    writable: Sequence[Path], readable: Sequence[Path], connects: Sequence[int]
) -> bool:
    """Leave these files and folders, and TCP connections to these ports; return whether the kernel
    does that. For ever, and for all threads made later.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    version = libc.syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG)
    if version < 1:
        return False
    handled = _HANDLED[max(known for known in _HANDLED if known <= version)]
    network = _BIND_TCP | _CONNECT_TCP if version >= _NETWORK_SINCE else 0
    attributes = struct.pack("=QQ", handled, network)[: 16 if network else 8]
    ruleset = libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    if ruleset < 0:
        return False
    try:
        allowed = [(path, _READ) for path in readable] + [(path, _WRITE) for path in writable]
        allowed += [
            (path, _READ | _WRITE_FILE | _MAKE_DIR | _REMOVE_DIR | _IOCTL_DEV) for path in DEVICES
        ]
        for path, rights in allowed:
            if not _allow(libc, ruleset, path, rights & handled):
                return False
        for port in connects if network else ():
            rule = struct.pack("=QQ", _CONNECT_TCP, port)
            if libc.syscall(_ADD_RULE, ruleset, _RULE_NET_PORT, rule, 0) != 0:
                return False
        return bool(libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> bool:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        # What is not there needs no rule.
        return True
    try:
        if not path.is_dir():
            rights &= _FILE_RIGHTS
        rule = struct.pack("=Qi", rights, descriptor)
        return bool(libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0) == 0)
    finally:
        os.close(descriptor)
