"""What differs between the TEEs that the demonstration can stand on; the story itself is the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from xmtp_tee.attestation.drivers import measure_code
from xmtp_tee.attestation.drivers.base import Driver
from xmtp_tee.attestation.drivers.emulated import emulated_nitro, emulated_sevsnp, emulated_tdx
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.nitro.document import parse_document
from xmtp_tee.attestation.nitro.workload import nitro_workload_id
from xmtp_tee.attestation.quote import HEADER_SIZE
from xmtp_tee.attestation.sevsnp.report import REPORT_SIZE
from xmtp_tee.attestation.sevsnp.workload import snp_workload_id
from xmtp_tee.attestation.simulator import TdRecipe
from xmtp_tee.attestation.simulator.nitro.document import development_pcrs
from xmtp_tee.attestation.simulator.sevsnp import SnpReportRecipe
from xmtp_tee.attestation.workload import tdx_workload_id
from xmtp_tee.errors import UsageError


class Tee(Protocol):
    """One TEE: its evidence, its measurement of this checkout, and how its signature is broken."""

    name: str
    """As ``--tee`` has it."""
    kind: TeeKind
    evidence_name: str
    flip_refusal: str
    """The custom error with which the chain refuses evidence from :meth:`flipped`."""

    def workload(self) -> bytes:
        """Return the workload id of this very code, computed from the source."""
        ...

    def driver(self, state_dir: Path, measurement_salt: bytes) -> Driver:
        """Return a simulated platform that an attacker runs."""
        ...

    def flipped(self, quote: bytes, encode: Callable[[bytes], bytes]) -> bytes:
        """Return evidence for the chain in which one bit of the measurement is flipped; ``encode`` makes it."""
        ...


class Tdx:
    """Intel TDX, version 4."""

    name = "tdx"
    kind = TeeKind.TDX
    evidence_name = "TDX v4"
    flip_refusal = "QuoteSignatureInvalid"
    # Within the TD report: a bit of MRTD, which the attestation key's signature covers.
    _flipped_byte = HEADER_SIZE + 136

    def workload(self) -> bytes:
        """Return the workload id of this code as MRTD."""
        return tdx_workload_id(TdRecipe(mr_td=measure_code()).build())

    def driver(self, state_dir: Path, measurement_salt: bytes) -> Driver:
        """Return the simulator."""
        return emulated_tdx(state_dir, measurement_salt=measurement_salt)

    def flipped(self, quote: bytes, encode: Callable[[bytes], bytes]) -> bytes:
        """Flip a bit of MRTD in the quote."""
        return encode(_flip(quote, self._flipped_byte))


class Nitro:
    """AWS Nitro Enclaves."""

    name = "nitro"
    kind = TeeKind.NITRO
    evidence_name = "Nitro document"
    flip_refusal = "ScalarsWrong"

    def workload(self) -> bytes:
        """Return the workload id of this code as the application's register."""
        bank = development_pcrs(measure_code())
        return nitro_workload_id(bank[0], bank[1], bank[2], bank[8])

    def driver(self, state_dir: Path, measurement_salt: bytes) -> Driver:
        """Return the Nitro driver on an emulated device."""
        return emulated_nitro(state_dir, measurement_salt=measurement_salt)

    def flipped(self, quote: bytes, encode: Callable[[bytes], bytes]) -> bytes:
        """Flip a bit of the application's register, behind the encoder: a wrong signature has no witness."""
        evidence = encode(quote)
        return _flip(evidence, evidence.index(parse_document(quote).pcrs[2]))


class SevSnp:
    """AMD SEV-SNP."""

    name = "sevsnp"
    kind = TeeKind.SEV_SNP
    evidence_name = "SEV-SNP report"
    flip_refusal = "ScalarsWrong"

    def workload(self) -> bytes:
        """Return the workload id of this code as the launch measurement."""
        return snp_workload_id(SnpReportRecipe(measurement=measure_code()).build()[:REPORT_SIZE])

    def driver(self, state_dir: Path, measurement_salt: bytes) -> Driver:
        """Return the SEV-SNP driver on emulated interfaces."""
        return emulated_sevsnp(state_dir, measurement_salt=measurement_salt)

    def flipped(self, quote: bytes, encode: Callable[[bytes], bytes]) -> bytes:
        """Flip a bit of the measurement, behind the encoder: a wrong signature has no witness."""
        evidence = encode(quote)
        return _flip(evidence, evidence.index(quote[:REPORT_SIZE]) + 0x90)


TEES: dict[str, Tee] = {tee.name: tee for tee in (Tdx(), Nitro(), SevSnp())}


def tee_named(name: str) -> Tee:
    """Return the TEE of that name.

    :raises UsageError: there is none
    """
    if name not in TEES:
        raise UsageError(
            "the demonstration knows no such TEE", got=repr(name), expected=", ".join(TEES)
        )
    return TEES[name]


def _flip(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
