"""One driver per TEE: how a process inside it gets a quote and a sealing root."""

from __future__ import annotations

from xmtp_tee.attestation.drivers.base import Driver
from xmtp_tee.attestation.drivers.measurement import measure_code
from xmtp_tee.attestation.drivers.nitro import NitroDriver
from xmtp_tee.attestation.drivers.sevsnp import SevSnpDriver
from xmtp_tee.attestation.drivers.tdx import TdxDriver

__all__ = ["Driver", "NitroDriver", "SevSnpDriver", "TdxDriver", "measure_code"]
