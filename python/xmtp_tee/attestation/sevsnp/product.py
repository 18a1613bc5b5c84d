"""AMD's product lines, and how each writes its security versions.

Source: AMD 56860 (SEV-SNP firmware ABI), TCB_VERSION; AMD 57230 (VCEK certificate and KDS interface).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from xmtp_tee.attestation.errors import SnpReportMalformedError

TCB_SIZE = 8


class ProductLine(IntEnum):
    """A generation of processors under one root key of AMD. The values are those of evidence for the chain."""

    MILAN = 1
    GENOA = 2
    TURIN = 3

    @property
    def label(self) -> str:
        """AMD's spelling: ``Milan``, ``Genoa``, ``Turin``."""
        return self.name.capitalize()

    @property
    def family(self) -> bytes:
        """The 16 bytes under which the policy can deny the whole line: its name, padded with zeros."""
        return self.label.encode().ljust(16, b"\0")

    @property
    def product_names(self) -> tuple[str, ...]:
        """What certificates of the line call their product, before the stepping."""
        # Siena and Bergamo are Genoa's core complexes in other packages, under Genoa's root.
        return ("Genoa", "Siena", "Bergamo") if self is ProductLine.GENOA else (self.label,)

    @property
    def chip_id_size(self) -> int:
        """How many of a report's 64 bytes of chip id are used; the rest is zero."""
        return 8 if self is ProductLine.TURIN else 64

    def has_cpu(self, family: int, model: int) -> bool:
        """Whether a CPUID family and model (as in reports from version 3 on) belong to the line."""
        return family == _FAMILIES[self] and any(model in models for models in _MODELS[self])

    @classmethod
    def from_label(cls, label: str) -> ProductLine:
        """Return the line that AMD calls ``label``.

        :raises SnpReportMalformedError: an unknown one; it is never guessed
        """
        for line in cls:
            if line.label == label:
                return line
        raise SnpReportMalformedError(
            "The product line is not known.",
            got=label[:40],
            expected=", ".join(line.label for line in cls),
        )


_FAMILIES = {ProductLine.MILAN: 0x19, ProductLine.GENOA: 0x19, ProductLine.TURIN: 0x1A}
_MODELS = {
    ProductLine.MILAN: (range(0x10),),
    ProductLine.GENOA: (range(0x10, 0x20), range(0xA0, 0xB0)),
    ProductLine.TURIN: (range(0x12),),
}


@dataclass(frozen=True, slots=True)
class Tcb:
    """Security versions of a platform's firmware, each 0 to 255. ``fmc`` is Turin's alone, else zero."""

    boot_loader: int = 0
    tee: int = 0
    snp: int = 0
    microcode: int = 0
    fmc: int = 0

    def reaches(self, floor: Tcb) -> bool:
        """Whether every single component is at least the floor's."""
        return all(own >= least for own, least in zip(self._parts(), floor._parts(), strict=True))

    def encode(self, product: ProductLine) -> bytes:
        """Return the 8 bytes as a report of this product line has them."""
        if product is ProductLine.TURIN:
            return bytes([self.fmc, self.boot_loader, self.tee, self.snp, 0, 0, 0, self.microcode])
        return bytes([self.boot_loader, self.tee, 0, 0, 0, 0, self.snp, self.microcode])

    @classmethod
    def decode(cls, raw: bytes, product: ProductLine) -> Tcb:
        """Read the 8 bytes of a report of this product line.

        :raises SnpReportMalformedError: not 8 bytes, or reserved ones are set
        """
        if len(raw) == TCB_SIZE and product is ProductLine.TURIN:
            tcb = cls(fmc=raw[0], boot_loader=raw[1], tee=raw[2], snp=raw[3], microcode=raw[7])
        elif len(raw) == TCB_SIZE:
            tcb = cls(boot_loader=raw[0], tee=raw[1], snp=raw[6], microcode=raw[7])
        else:
            tcb = None
        if tcb is None or tcb.encode(product) != raw:
            raise SnpReportMalformedError(
                "Reserved bytes of a TCB version are set.", got=raw.hex(), expected=product.label
            )
        return tcb

    def __str__(self) -> str:
        fmc = f"FMC {self.fmc}, " if self.fmc else ""
        return (
            f"{fmc}boot loader {self.boot_loader}, TEE {self.tee}, SNP {self.snp}, "
            f"microcode {self.microcode}"
        )

    def _parts(self) -> tuple[int, ...]:
        return (self.fmc, self.boot_loader, self.tee, self.snp, self.microcode)
