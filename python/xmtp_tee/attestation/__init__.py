"""Evidence of a TEE: making it, parsing it, verifying it.

Verification raises; it never returns False for "could not tell". SGX and TDX are verified here, AWS Nitro in
:mod:`xmtp_tee.attestation.nitro`, AMD SEV-SNP in :mod:`xmtp_tee.attestation.sevsnp`; :func:`verify_offline` takes
evidence of any of them. The chain's own encoding of DCAP evidence and collateral is
:mod:`xmtp_tee.attestation.dcap`; the drivers are :mod:`xmtp_tee.attestation.drivers`, the development PKIs
:mod:`xmtp_tee.attestation.simulator`.
"""

from __future__ import annotations

from xmtp_tee.attestation.address import (
    address_of_public_key,
    checksum_address,
    parse_address,
)
from xmtp_tee.attestation.advisories import advisory_commitment
from xmtp_tee.attestation.binding import EnclaveBinding
from xmtp_tee.attestation.certificate import (
    KeyBundleCertificate,
    ethereum_signature,
    recover_authority,
)
from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.evidence import Attestation
from xmtp_tee.attestation.judge import judge_attestation, verify_attestation
from xmtp_tee.attestation.judgement import Expectations
from xmtp_tee.attestation.kinds import Provenance, TcbStatus, TeeKind
from xmtp_tee.attestation.offline import (
    Trust,
    judge_offline,
    verify_offline,
    workload_of_attestation,
)
from xmtp_tee.attestation.pre_key import (
    PRE_KEY_CONTEXT,
    pre_key_message,
    verify_pre_key_signature,
)
from xmtp_tee.attestation.quote import Quote, parse_quote
from xmtp_tee.attestation.reports import SgxReport, TdReport
from xmtp_tee.attestation.roots import INTEL_ROOT_KEY_HASH, read_root
from xmtp_tee.attestation.verify import VerifiedQuote, verify_quote
from xmtp_tee.attestation.workload import (
    sgx_workload_id,
    tdx_15_workload_id,
    tdx_workload_id,
    workload_id,
)

__all__ = [
    "INTEL_ROOT_KEY_HASH",
    "PRE_KEY_CONTEXT",
    "Attestation",
    "Collateral",
    "EnclaveBinding",
    "Expectations",
    "KeyBundleCertificate",
    "Provenance",
    "Quote",
    "SgxReport",
    "TcbStatus",
    "TdReport",
    "TeeKind",
    "Trust",
    "VerifiedQuote",
    "address_of_public_key",
    "advisory_commitment",
    "checksum_address",
    "ethereum_signature",
    "judge_attestation",
    "judge_offline",
    "parse_address",
    "parse_quote",
    "pre_key_message",
    "read_root",
    "recover_authority",
    "sgx_workload_id",
    "tdx_15_workload_id",
    "tdx_workload_id",
    "verify_attestation",
    "verify_offline",
    "verify_pre_key_signature",
    "verify_quote",
    "workload_id",
    "workload_of_attestation",
]
