"""The state directory and the Unix socket: private to the enclave's user, one enclave each, or
refused.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from xmtp_tee.enclave.errors import (
    EnclaveAlreadyRunningError,
    SocketPathTooLongError,
    SocketUnsafeError,
    StateDirectoryUnsafeError,
)
from xmtp_tee.errors import RefusedByPolicyError
from xmtp_tee.wire.faults import PeerRefusedError

MAX_SOCKET_PATH: Final = 107
"""Bytes of ``sun_path`` without its terminating zero (unix(7))."""

_PEER: Final = struct.Struct("3i")


def prepare_state_directory(path: Path) -> int:
    """Create the directory if need be, refuse it unless it is private, and lock it.

    Returns the lock's file descriptor; closing it, or the end of the process, releases the lock.

    :raises StateDirectoryUnsafeError: if it is no directory of this user's, or others can reach
    into it
    :raises EnclaveAlreadyRunningError: if another enclave holds it
    """
    _make_private_directory(path, StateDirectoryUnsafeError)
    return _lock(path / "enclave.lock")


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound socket, not yet listening, and the lock on its name."""

    socket: socket.socket
    path: Path
    inode: int
    lock: int

    def close(self) -> None:
        """Close the socket and remove its file, if it is still ours."""
        self.socket.close()
        with contextlib.suppress(FileNotFoundError):
            if self.path.lstat().st_ino == self.inode:
                self.path.unlink()
        os.close(self.lock)


def bind(path: Path) -> Listener:
    """Bind a Unix socket of mode 0600 at ``path``; a stale one that nobody listens on is removed.

    :raises SocketPathTooLongError: if the path is longer than the kernel allows
    :raises SocketUnsafeError: if others can reach the directory, or the path is no socket
    :raises EnclaveAlreadyRunningError: if somebody listens there
    """
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        raise SocketPathTooLongError(
            "The socket's path is too long",
            got=f"{len(os.fsencode(path))} bytes: {path}",
            expected=f"at most {MAX_SOCKET_PATH} bytes",
        )
    _make_private_directory(path.parent, SocketUnsafeError)
    lock = _lock(path.with_name(path.name + ".lock"))
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(path)
        # The mode is right from the first instant: a chmod afterwards would leave a gap.
        before = os.umask(0o177)
        try:
            listener.bind(os.fspath(path))
        finally:
            os.umask(before)
        listener.setblocking(False)
        return Listener(listener, path, path.lstat().st_ino, lock)
    except BaseException:
        listener.close()
        os.close(lock)
        raise


def authorise_peer(connection: socket.socket, own_uid: int | None = None) -> int:
    """Return the user id of the process at the other end if it may connect: the enclave's user, or
    root.

    ``own_uid``: the enclave's user, by default the effective one.

    :raises PeerRefusedError: otherwise, also if the kernel does not tell
    """
    allowed = {0, os.geteuid() if own_uid is None else own_uid}
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    except OSError:
        raise PeerRefusedError("The connecting process cannot be identified") from None
    _, uid, _ = _PEER.unpack(raw)
    if uid not in allowed:
        raise PeerRefusedError(
            "The connecting process runs under another user",
            got=f"uid {uid}",
            expected="uid " + " or ".join(map(str, sorted(allowed))),
        )
    return int(uid)


def _make_private_directory(path: Path, error: type[RefusedByPolicyError]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
        status = path.lstat()
    except OSError as cause:
        raise error("The directory cannot be made", got=path, cause=cause.strerror) from cause
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISDIR(status.st_mode):
        raise error("Not a directory", got=path, cause="a link, or a file, has this name")
    if status.st_uid != os.geteuid():
        raise error(
            f"The directory {path} belongs to another user",
            got=f"uid {status.st_uid}",
            expected=f"uid {os.geteuid()}",
        )
    if mode & 0o077:
        raise error(
            f"Other users can reach into the directory {path}",
            got=f"mode {mode:04o}",
            expected="mode 0700",
            next_command=f"chmod 700 {path}",
        )


def _lock(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise EnclaveAlreadyRunningError(
            "Another enclave is running here", got=path.parent, next_command="xmtp-tee status"
        ) from None
    return descriptor


def _remove_stale(path: Path) -> None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode):
        raise SocketUnsafeError("Something that is no socket lies at the socket's path", got=path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(os.fspath(path))
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:
                path.unlink(missing_ok=True)
                return
            if error.errno == errno.ENOENT:
                return
    # It accepted, or is too busy to: either way somebody listens.
    raise EnclaveAlreadyRunningError("Somebody listens on the socket", got=path)
