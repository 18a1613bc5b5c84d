"""Which TEE this machine is, by what its kernel shows, and whether a driver here can ask it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Final

from xmtp_tee.attestation.drivers.tsm import TSM_FOLDER, TsmFolder, TsmTransport

# The driver that would ask it. Sources: Linux, Documentation/virt/coco/sev-guest.rst and tdx-guest.rst; AWS's
# aws-nitro-enclaves-nsm-api; Gramine's /dev/attestation; dstack's socket.
INTERFACES: Final[Mapping[Path, str]] = {
    Path("/dev/tdx_guest"): "tdx",
    Path("/dev/sev-guest"): "sevsnp",
    Path("/dev/nsm"): "nitro",
    Path("/dev/attestation/attestation_type"): "sgx",
    Path("/var/run/dstack.sock"): "dstack",
}
PROVIDERS: Final[Mapping[str, str]] = {"tdx_guest": "tdx", "sev_guest": "sevsnp"}
"""What configfs-tsm's ``provider`` names (Documentation/ABI/testing/configfs-tsm): the folder is every vendor's."""
UNKNOWN: Final = "of a TEE that cannot be told"


def tsm_provider(transport: TsmTransport | None = None) -> str | None:
    """Return which TEE stands behind configfs-tsm, None where it cannot be asked; makes and removes one request."""
    tsm = transport or TsmFolder()
    name = f"xmtp-tee-doctor-{os.getpid()}"
    try:
        tsm.make(name)
    except OSError:
        return None
    try:
        return tsm.read(name, "provider").decode("ascii", errors="replace").strip()
    except OSError:
        return None
    finally:
        with contextlib.suppress(OSError):
            tsm.remove(name)


def tees_here(
    exists: Callable[[Path], bool] = Path.exists,
    provider: Callable[[], str | None] = tsm_provider,
) -> dict[str, list[str]]:
    """Return the TEEs that the kernel shows, by the name that a driver for them has, and what shows them."""
    found: dict[str, list[str]] = {}
    for path, name in INTERFACES.items():
        if exists(path):
            found.setdefault(name, []).append(str(path))
    if exists(TSM_FOLDER):
        named = provider()
        tee = UNKNOWN if named is None else PROVIDERS.get(named, named[:40])
        # A device beside the folder tells whose it is where the folder cannot be asked.
        if tee is not UNKNOWN or not found:
            found.setdefault(tee, []).append("configfs-tsm")
    return found


def in_words(found: Mapping[str, Collection[str]], drivers: Collection[str]) -> str:
    """Return the TEEs with what shows them, and which of them no driver asks."""
    return "; ".join(
        f"{tee} ({', '.join(shown)})" + ("" if tee in drivers else ": no driver")
        for tee, shown in found.items()
    )
