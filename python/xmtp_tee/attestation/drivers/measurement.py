"""The simulated measurement: which code runs, in one SHA-384.

On hardware the TEE measures what it loads. The simulator has no loader, so the process measures the files of
its own trusted code. WARNING: a process that measures itself proves nothing to others; this exists so that the
whole path (measurement, workload id, policy) is exercised.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

# What the enclave never imports. All else is measured: a new package counts before anybody thinks of it.
_OUTSIDE = frozenset({"cli.py", "client", "commands", "demo", "devnode"})


def trusted_files(package: Path) -> list[Path]:
    """Return the trusted computing base of the package folder ``xmtp_tee``, sorted by relative path.

    That is every Python file but those of the command line, the client, the demo and the development network.
    """
    files = [
        path for path in package.rglob("*.py") if path.relative_to(package).parts[0] not in _OUTSIDE
    ]
    return sorted(files, key=lambda path: path.relative_to(package).as_posix().encode())


def measure_code(package: Path | None = None, salt: bytes = b"") -> bytes:
    """Return the SHA-384 (48 bytes) over path and content of every trusted file.

    Each file enters as u32 path length, path, u64 content length, content (big-endian). ``salt``, when given,
    enters last and yields a workload that no policy knows.
    """
    if package is None:
        package = Path(__file__).resolve().parents[2]
    digest = hashlib.sha384(b"xmtp-tee/simulated-measurement/v1")
    for path in trusted_files(package):
        name = path.relative_to(package).as_posix().encode()
        content = path.read_bytes()
        digest.update(len(name).to_bytes(4, "big") + name)
        digest.update(len(content).to_bytes(8, "big") + content)
    digest.update(salt)
    return digest.digest()
