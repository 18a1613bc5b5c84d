"""seccomp: system calls that an enclave never makes are refused with EPERM (Linux, seccomp(2)).

A list of what is refused, not of what is allowed: CPython, SQLite and the drivers need other calls on
every version, and an enclave that dies by a new one helps nobody. What is on the list would let
somebody who has taken over the process start other programs, reach into other processes, or ask the
kernel for more.
"""

from __future__ import annotations

import ctypes
import platform
import struct
from typing import Final

_REFUSED: Final = {
    # name: (x86_64, aarch64); arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h
    "execve": (59, 221), "execveat": (322, 281), "vfork": (58, None), "fork": (57, None),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438), "kcmp": (312, 272), "perf_event_open": (298, 241),
    "bpf": (321, 280), "userfaultfd": (323, 282), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "mount": (165, 40), "umount2": (166, 39),
    "move_mount": (429, 429), "open_tree": (428, 428), "fsopen": (430, 430), "fsconfig": (431, 431),
    "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97), "setns": (308, 268),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "reboot": (169, 142),
    "swapon": (167, 224), "swapoff": (168, 225), "iopl": (172, None), "ioperm": (173, None),
    "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264), "acct": (163, 89),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "setuid": (105, 146), "setgid": (106, 144), "setreuid": (113, 145), "setregid": (114, 143),
    "setresuid": (117, 147), "setresgid": (119, 149), "setgroups": (116, 159), "capset": (126, 91),
    "syslog": (103, 116), "quotactl": (179, 60), "personality": (135, 92),
}  # fmt: skip

# linux/audit.h, linux/seccomp.h, linux/filter.h
_ARCHITECTURES: Final = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_SET_MODE_FILTER: Final = 2
_PR_SET_SECCOMP: Final = 22
_RET_KILL_PROCESS: Final = 0x80000000
_RET_EPERM: Final = 0x00050001
_RET_ALLOW: Final = 0x7FFF0000
_LOAD: Final = 0x20
_JUMP_EQUAL: Final = 0x15
_JUMP_GREATER_EQUAL: Final = 0x35
_RETURN: Final = 0x06
_NUMBER, _ARCHITECTURE = 0, 4
_X32: Final = 0x40000000


class _Program(ctypes.Structure):
    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def refuse_system_calls() -> bool:
    """Install the filter for this process and what it starts; return whether the kernel has taken it.

    ``no_new_privs`` must be set. An unknown architecture gets none.
    """
    known = _ARCHITECTURES.get(platform.machine())
    if known is None:
        return False
    code = program(*known)
    libc = ctypes.CDLL(None, use_errno=True)
    filter_ = _Program(len(code) // 8, code)
    return bool(libc.prctl(_PR_SET_SECCOMP, _SET_MODE_FILTER, ctypes.byref(filter_), 0, 0) == 0)


def program(column: int, architecture: int) -> bytes:
    """Return the filter: a call of another architecture kills, one of the list gets EPERM."""
    numbers = sorted(n for pair in _REFUSED.values() if (n := pair[column]) is not None)
    lines = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _RET_KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if column == 0:
        # The x32 interface has other numbers for the same calls.
        lines += [(_JUMP_GREATER_EQUAL, 0, 1, _X32), (_RETURN, 0, 0, _RET_EPERM)]
    for number in numbers:
        lines += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, _RET_EPERM)]
    lines.append((_RETURN, 0, 0, _RET_ALLOW))
    return b"".join(struct.pack("=HBBI", *line) for line in lines)
