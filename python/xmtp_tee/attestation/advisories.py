"""One word that commits to Intel's advisories against a platform: the contract's formula.

``platform 8 | TDX module 8 | quoting enclave 8 | zero 8``. Each part is the first 8 bytes of keccak256 over the
numbers of the matching level's advisories (the ddddd of INTEL-SA-ddddd), 2 bytes each, big-endian, in Intel's order;
zero when the level lists none. TCB info of version 2 lists none for lack of a place: there the platform's part is 8
times 0xff, "not known". All 32 bytes are zero when the status is UP_TO_DATE. Defined in
contracts/interfaces/IDcapVerifier.sol.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from xmtp_tee.attestation.errors import CollateralInvalidError
from xmtp_tee.attestation.kinds import TcbStatus
from xmtp_tee.hashing import keccak256

NOT_KNOWN = b"\xff" * 8
NO_ADVISORIES = bytes(32)
_ADVISORY = re.compile(r"INTEL-SA-([0-9]{5})")


def advisory_commitment(
    status: TcbStatus,
    platform: Sequence[str] | None,
    module: Sequence[str] = (),
    quoting_enclave: Sequence[str] = (),
) -> bytes:
    """Return the 32-byte commitment for a converged status and the lists of the matching levels.

    ``platform`` is None under TCB info of version 2.

    :raises CollateralInvalidError: an advisory is not named INTEL-SA-ddddd, or its number is above 65,535
    """
    known = NOT_KNOWN if platform is None else _part(platform)
    commitment = known + _part(module) + _part(quoting_enclave) + bytes(8)
    return NO_ADVISORIES if status is TcbStatus.UP_TO_DATE else commitment


def _part(advisory_ids: Sequence[str]) -> bytes:
    if not advisory_ids:
        return bytes(8)
    return keccak256(b"".join(_number(advisory) for advisory in advisory_ids))[:8]


def _number(advisory: str) -> bytes:
    found = _ADVISORY.fullmatch(advisory)
    if found is None or int(found[1]) > 0xFFFF:
        raise CollateralInvalidError(
            "An advisory is named in another form.",
            got=advisory[:40],
            expected="INTEL-SA-ddddd, at most 65535",
        )
    return int(found[1]).to_bytes(2, "big")
