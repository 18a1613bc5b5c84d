"""AMD SEV-SNP: attestation reports, verified through VCEK or VLEK down to AMD's root keys.

- :mod:`.report`: the report's fields
- :mod:`.certificate_table`: the certificates that the host hands over behind a report
- :mod:`.product`: product lines, and their security versions
- :mod:`.endorsement`: the certificate of the key that signed, and what it says of the platform
- :mod:`.anchors`: the pinned keys: AMD's, or a development PKI's
- :mod:`.verify`: is this report genuine, on what, and is that acceptable?
- :mod:`.judge`: the verdict, a line per link
"""

from __future__ import annotations

from xmtp_tee.attestation.sevsnp.anchors import AMD_ANCHORS, Anchor
from xmtp_tee.attestation.sevsnp.certificate_table import SnpEvidence, parse_evidence
from xmtp_tee.attestation.sevsnp.product import ProductLine, Tcb
from xmtp_tee.attestation.sevsnp.report import SnpReport, parse_report
from xmtp_tee.attestation.sevsnp.verify import VerifiedReport, verify_report
from xmtp_tee.attestation.sevsnp.workload import snp_workload_id

__all__ = [
    "AMD_ANCHORS",
    "Anchor",
    "ProductLine",
    "SnpEvidence",
    "SnpReport",
    "Tcb",
    "VerifiedReport",
    "parse_evidence",
    "parse_report",
    "snp_workload_id",
    "verify_report",
]
