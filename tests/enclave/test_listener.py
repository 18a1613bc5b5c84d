"""Socket and state directory: private from the first instant, one enclave each, or refused."""

from __future__ import annotations

import os
import socket
import stat
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from xmtp_tee.enclave.errors import (
    EnclaveAlreadyRunningError,
    SocketPathTooLongError,
    SocketUnsafeError,
    StateDirectoryUnsafeError,
)
from xmtp_tee.enclave.listener import authorise_peer, bind, prepare_state_directory
from xmtp_tee.wire.faults import PeerRefusedError


def test_socket_has_mode_0600_in_a_directory_of_mode_0700(folder: Path) -> None:
    listener = bind(folder / "new" / "e.sock")
    assert stat.S_IMODE((folder / "new").stat().st_mode) == 0o700
    status = (folder / "new" / "e.sock").stat()
    assert stat.S_ISSOCK(status.st_mode)
    assert stat.S_IMODE(status.st_mode) == 0o600
    listener.close()
    assert not (folder / "new" / "e.sock").exists()


def test_umask_is_restored(folder: Path) -> None:
    before = os.umask(0o022)
    try:
        bind(folder / "e.sock").close()
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701, 0o777])
def test_directory_that_others_can_reach_is_refused(folder: Path, mode: int) -> None:
    folder.chmod(mode)
    with pytest.raises(SocketUnsafeError, match=f"{mode:04o}"):
        bind(folder / "e.sock")
    with pytest.raises(StateDirectoryUnsafeError, match="0700"):
        prepare_state_directory(folder)
    assert list(folder.iterdir()) == []
    folder.chmod(0o700)


def test_state_directory_behind_a_link_is_refused(folder: Path) -> None:
    (folder / "real").mkdir(mode=0o700)
    (folder / "link").symlink_to(folder / "real")
    with pytest.raises(StateDirectoryUnsafeError):
        prepare_state_directory(folder / "link")


def test_directory_of_another_user_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: own + 1)
    with pytest.raises(StateDirectoryUnsafeError, match="another user"):
        prepare_state_directory(folder)


def test_state_directory_is_held_by_one(folder: Path) -> None:
    lock = prepare_state_directory(folder / "state")
    with pytest.raises(EnclaveAlreadyRunningError):
        prepare_state_directory(folder / "state")
    os.close(lock)
    os.close(prepare_state_directory(folder / "state"))


def test_stale_socket_is_replaced(folder: Path) -> None:
    path = folder / "e.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert path.exists()
    listener = bind(path)
    assert path.stat().st_ino == listener.inode
    listener.close()


def test_living_socket_is_not_replaced(folder: Path) -> None:
    path = folder / "e.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen(1)
        with pytest.raises(EnclaveAlreadyRunningError):
            bind(path)
        assert path.exists()


def test_second_enclave_on_the_same_path_is_refused_even_before_the_first_listens(
    folder: Path,
) -> None:
    first = bind(folder / "e.sock")
    with pytest.raises(EnclaveAlreadyRunningError):
        bind(folder / "e.sock")
    assert (folder / "e.sock").exists()
    first.close()


def test_file_at_the_sockets_path_is_not_removed(folder: Path) -> None:
    path = folder / "e.sock"
    path.write_text("precious")
    with pytest.raises(SocketUnsafeError):
        bind(path)
    assert path.read_text() == "precious"


def test_close_leaves_another_enclaves_socket_alone(folder: Path) -> None:
    path = folder / "e.sock"
    listener = bind(path)
    keep = folder / "keep"
    path.rename(keep)
    path.write_text("another's")
    listener.close()
    assert path.exists()


def test_path_longer_than_the_kernel_allows_is_refused(folder: Path) -> None:
    fits = folder / ("s" * (107 - len(str(folder)) - 1))
    bind(fits).close()
    with pytest.raises(SocketPathTooLongError, match="107"):
        bind(fits.with_name(fits.name + "s"))


class Peer:
    """A connection whose other end runs under a user of the test's choice."""

    def __init__(self, uid: int) -> None:
        self.uid = uid

    def getsockopt(self, level: int, name: int, size: int) -> bytes:
        assert (level, name) == (socket.SOL_SOCKET, socket.SO_PEERCRED)
        return struct.pack("3i", 1, self.uid, 0)[:size]


@pytest.mark.parametrize(("uid", "own"), [(1000, 1000), (0, 1000), (0, 0)])
def test_own_user_and_root_may_connect(uid: int, own: int) -> None:
    assert authorise_peer(Peer(uid), own) == uid  # type: ignore[arg-type]


@pytest.mark.parametrize(("uid", "own"), [(1001, 1000), (1000, 0), (65534, 1000), (-1, 1000)])
def test_other_users_may_not_connect(uid: int, own: int) -> None:
    with pytest.raises(PeerRefusedError, match=str(uid)):
        authorise_peer(Peer(uid), own)  # type: ignore[arg-type]


def test_peer_that_the_kernel_does_not_tell_is_refused() -> None:
    with socket.socket(socket.AF_INET) as tcp:
        tcp.close()
        with pytest.raises(PeerRefusedError):
            authorise_peer(tcp)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_process_of_another_user_is_recognised(folder: Path) -> None:
    folder.chmod(0o755)
    path = folder / "open.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o666)
        listener.listen(1)
        code = (
            "import os,socket,sys; os.setuid(65534); s=socket.socket(socket.AF_UNIX); "
            "s.connect(sys.argv[1]); s.recv(1)"
        )
        child = subprocess.Popen([sys.executable, "-c", code, str(path)])
        connection, _ = listener.accept()
        with connection, pytest.raises(PeerRefusedError, match="65534"):
            authorise_peer(connection)
        assert child.wait(timeout=20) == 0
    folder.chmod(0o700)
