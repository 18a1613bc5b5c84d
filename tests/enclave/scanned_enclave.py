"""An enclave's server over its store, for a test that reads its memory: at the time that a file says.

python -m tests.enclave.scanned_enclave FOLDER

It is not hardened, because that is what keeps a parent from reading. Prints a line once it can be connected to.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.enclave.support import FixedDriver, open_store
from xmtp_tee.enclave.audit.log import AuditLog
from xmtp_tee.enclave.audit.segments import FileSegments
from xmtp_tee.enclave.config import Limits
from xmtp_tee.enclave.listener import bind
from xmtp_tee.enclave.server import Server, Stop
from xmtp_tee.enclave.service import Enclave


def main(folder: Path) -> None:
    driver = FixedDriver()
    store = open_store(folder / "keys.sqlite", driver)
    enclave = Enclave(store, driver, audit=AuditLog.open(store, FileSegments(folder / "audit")))
    server = Server(enclave, Limits(), lambda: int((folder / "clock").read_text()))
    listener = bind(folder / "enclave.sock")
    server.serve(listener, Stop(), lambda: print("ready", flush=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
