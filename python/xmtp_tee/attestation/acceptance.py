"""Which security levels a judge accepts."""

from __future__ import annotations

from collections.abc import Collection

from xmtp_tee.attestation.errors import FieldError, TcbStatusRefusedError
from xmtp_tee.attestation.kinds import TcbStatus

ACCEPTED_BY_DEFAULT = frozenset({TcbStatus.UP_TO_DATE})


def require_accepted_status(
    status: TcbStatus, advisory_ids: Collection[str], accept: Collection[TcbStatus]
) -> None:
    """Refuse a TCB status that is not among ``accept``.

    :raises TcbStatusRefusedError: it is not
    :raises FieldError: ``accept`` holds NONE or REVOKED, which no policy can accept
    """
    if TcbStatus.NONE in accept or TcbStatus.REVOKED in accept:
        raise FieldError("No policy accepts this TCB status.", got="NONE or REVOKED")
    if status not in accept:
        advisories = f" ({', '.join(advisory_ids)})" if advisory_ids else ""
        raise TcbStatusRefusedError(
            "The platform's TCB status is not accepted.",
            got=f"{status.intel_name}{advisories}",
            expected=" or ".join(sorted(s.intel_name for s in accept)),
            cause="The platform needs the updates or settings that its vendor's advisories name.",
        )
