"""Enclave identity v2 of the quoting enclaves: Intel's exact JSON text to its compact form.

The compact form is defined in contracts/attestation/dcap/QeIdentity.sol.
"""

from __future__ import annotations

from xmtp_tee.attestation.dcap.errors import CollateralFormError
from xmtp_tee.attestation.dcap.levels import (
    CompactReader,
    isv_svn_levels,
    load_object,
    member,
    require_same_text,
    take_date,
    take_hex,
    take_number,
)

_TEE = {"QE": 1, "TD_QE": 2}


def compact_qe_identity(text: str) -> bytes:
    """Return the compact form of the ``enclaveIdentity`` object ``text``.

    ``text`` is the exact substring of Intel's answer, which the signature covers. Raises
    :class:`CollateralFormError` when the compact form would not give that very text again.
    """
    what = "enclaveIdentity"
    identity = load_object(text, what)
    tee = _TEE.get(member(identity, "id", str, what))
    if tee is None:
        raise CollateralFormError(
            "enclaveIdentity.id is not a quoting enclave's",
            got=identity["id"][:40],
            expected="QE or TD_QE",
        )
    if member(identity, "version", int, what) != 2:
        raise CollateralFormError(
            "enclaveIdentity.version is not supported", got=identity["version"], expected=2
        )
    encoded = (
        bytes([tee])
        + take_date(identity, "issueDate", what)
        + take_date(identity, "nextUpdate", what)
        + take_number(identity, "tcbEvaluationDataNumber", 3, what)
        + take_hex(identity, "miscselect", 4, what)
        + take_hex(identity, "miscselectMask", 4, what)
        + take_hex(identity, "attributes", 16, what)
        + take_hex(identity, "attributesMask", 16, what)
        + take_hex(identity, "mrsigner", 32, what)
        + take_number(identity, "isvprodid", 2, what)
        + isv_svn_levels(identity, what)
    )
    require_same_text(qe_identity_text(encoded), text, what)
    return encoded


def qe_identity_text(compact: bytes) -> str:
    """Return the text that the chain writes from the compact form."""
    reader = CompactReader(compact, "enclaveIdentity")
    tee = reader.number(1)
    if tee not in _TEE.values():
        raise CollateralFormError("the compact enclaveIdentity is of an unknown kind", got=tee)
    identifier = "QE" if tee == 1 else "TD_QE"
    text = f'{{"id":"{identifier}","version":2,"issueDate":"{reader.date()}"'
    text += f',"nextUpdate":"{reader.date()}","tcbEvaluationDataNumber":{reader.number(3)}'
    text += f',"miscselect":"{reader.hex(4)}","miscselectMask":"{reader.hex(4)}"'
    text += f',"attributes":"{reader.hex(16)}","attributesMask":"{reader.hex(16)}"'
    text += f',"mrsigner":"{reader.hex(32)}","isvprodid":{reader.number(2)}'
    text += f",{reader.isv_svn_levels_text()}}}"
    reader.end()
    return text
