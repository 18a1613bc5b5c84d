"""Talking to the kernel: the few system calls behind the drivers, each in a class that an emulation can replace."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from xmtp_tee.attestation.errors import DeviceError

RETRIED: Final = frozenset({errno.EBUSY, errno.EINTR, errno.ETIMEDOUT, errno.EAGAIN})
"""What passes by itself: another request is under way, a signal came, the host was slow."""
MAX_ATTEMPTS: Final = 6
FIRST_PAUSE: Final = 0.05


def retrying(what: str, step: Callable[[], bytes], pause: Callable[[float], None]) -> bytes:
    """Return what ``step`` returns, tried again, six times in all, while the kernel says that it is busy.

    :raises DeviceError: it stayed so, or failed otherwise
    """
    for attempt in range(MAX_ATTEMPTS):
        if attempt:
            pause(FIRST_PAUSE * 2 ** (attempt - 1))
        try:
            return step()
        except OSError as error:
            if error.errno not in RETRIED or attempt == MAX_ATTEMPTS - 1:
                raise device_error(what, error) from error
    raise AssertionError("the loop returns or raises")


def device_error(what: str, error: OSError) -> DeviceError:
    """Return the typed error for a failed system call."""
    return DeviceError(
        f"{what} failed.",
        got=errno.errorcode.get(error.errno or 0, "unknown error"),
        cause=error.strerror,
    )


def open_device(path: Path) -> int:
    """Open a character device for reading and writing; the caller closes the descriptor.

    :raises DeviceError: it cannot be opened, or is no character device
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        raise device_error(f"Opening {path}", error) from error
    if not stat.S_ISCHR(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise DeviceError(f"{path} is no character device.")
    return descriptor


def address_of(buffer: ctypes.Array[ctypes.c_char]) -> int:
    """Return where a buffer lies: what an ioctl's structure points to. The buffer must outlive the call."""
    return ctypes.addressof(buffer)


def ioctl(descriptor: int, number: int, structure: bytearray) -> None:
    """Make an ioctl whose structure the kernel reads and writes.

    :raises OSError: the kernel's refusal
    """
    fcntl.ioctl(descriptor, number, structure, True)
