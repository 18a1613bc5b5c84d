"""Reports in AMD's format under a development PKI. Every field is a parameter, so that attacks can be made."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec

from xmtp_tee.attestation.sevsnp.certificate_table import (
    ARK_GUID,
    ASK_GUID,
    VCEK_GUID,
    VLEK_GUID,
    encode_table,
)
from xmtp_tee.attestation.sevsnp.product import ProductLine
from xmtp_tee.attestation.sevsnp.report import (
    COMPONENT_SIZE,
    FIRST_VERSION_WITH_CPUID,
    REPORT_SIZE,
    SIGNED_SIZE,
    SigningKey,
)
from xmtp_tee.attestation.simulator.certificate import sign_p384
from xmtp_tee.attestation.simulator.sevsnp.pki import (
    CHIP_ID,
    DevelopmentSnpPki,
    EndorsementRecipe,
    development_snp_pki,
)

POLICY_SMT = 1 << 16
POLICY_RESERVED = 1 << 17
_CPUS = {
    ProductLine.MILAN: (0x19, 0x01, 0x01),
    ProductLine.GENOA: (0x19, 0x11, 0x01),
    ProductLine.TURIN: (0x1A, 0x02, 0x01),
}


@dataclass(frozen=True, slots=True)
class SnpReportRecipe:
    """A report, and the certificates behind it.

    ``tcb`` is the raw 8 bytes of REPORTED_TCB (the endorsement's unless given); ``chip_id`` 64 bytes; ``flags`` the
    word at 0x48 (what the kind of key implies unless given). ``patches`` overwrite bytes before the report is signed,
    ``unsigned_patches`` after. ``signer`` signs in the endorsed key's place. ``endorsement``, ``intermediate`` and
    ``ark`` replace the certificates in DER.
    """

    report_data: bytes = bytes(64)
    measurement: bytes = hashlib.sha384(b"xmtp-tee development workload").digest()
    version: int = 3
    guest_svn: int = 0
    policy: int = POLICY_SMT | POLICY_RESERVED
    family_id: bytes = bytes(16)
    image_id: bytes = bytes(16)
    vmpl: int = 0
    signature_algorithm: int = 1
    platform_info: int = 0x25
    flags: int | None = None
    host_data: bytes = bytes(32)
    id_key_digest: bytes = bytes(48)
    author_key_digest: bytes = bytes(48)
    report_id: bytes = hashlib.sha256(b"xmtp-tee development report id").digest()
    tcb: bytes | None = None
    cpu: tuple[int, int, int] | None = None
    chip_id: bytes | None = None
    patches: tuple[tuple[int, bytes], ...] = ()
    unsigned_patches: tuple[tuple[int, bytes], ...] = ()
    endorsed: EndorsementRecipe = field(default_factory=EndorsementRecipe)
    signer: ec.EllipticCurvePrivateKey | None = field(default=None, repr=False)
    endorsement: bytes | None = None
    intermediate: bytes | None = None
    ark: bytes | None = None

    def build(self, pki: DevelopmentSnpPki | None = None) -> bytes:
        """Return the extended report under ``pki`` (the development PKI of Milan unless given)."""
        pki = pki or development_snp_pki()
        kind = self.endorsed.signing_key
        issuer = pki.intermediate(kind)
        endorsed = pki.endorsement(self.endorsed, issuer)
        report = self.build_report(pki, self.signer or endorsed.key)
        guid = VCEK_GUID if kind is SigningKey.VCEK else VLEK_GUID
        return report + encode_table(
            {
                guid: self.endorsement or endorsed.der,
                ASK_GUID: self.intermediate or issuer.der,
                ARK_GUID: self.ark or pki.ark().der,
            }
        )

    def build_report(self, pki: DevelopmentSnpPki, signer: ec.EllipticCurvePrivateKey) -> bytes:
        """Return the bare report, 1,184 bytes, signed by ``signer``."""
        report = bytearray(self._body(pki))
        for offset, data in self.patches:
            report[offset : offset + len(data)] = data
        signature = sign_p384(signer, bytes(report))
        for half in (signature[:48], signature[48:]):
            report += half[::-1].ljust(COMPONENT_SIZE, b"\0")
        report += bytes(REPORT_SIZE - len(report))
        for offset, data in self.unsigned_patches:
            report[offset : offset + len(data)] = data
        return bytes(report)

    def _body(self, pki: DevelopmentSnpPki) -> bytes:
        kind = self.endorsed.signing_key
        tcb = self.tcb or self.endorsed.tcb.encode(pki.product)
        chip_id = self.chip_id
        if chip_id is None:
            used = pki.product.chip_id_size if kind is SigningKey.VCEK else 0
            chip_id = CHIP_ID[:used].ljust(64, b"\0")
        cpu = bytes(self.cpu or _CPUS[pki.product])
        if self.version < FIRST_VERSION_WITH_CPUID:
            cpu = bytes(3)
        firmware = bytes([29, 55, 1, 0])
        flags = kind << 2 if self.flags is None else self.flags
        body = b"".join(
            (
                self.version.to_bytes(4, "little"),
                self.guest_svn.to_bytes(4, "little"),
                self.policy.to_bytes(8, "little"),
                self.family_id,
                self.image_id,
                self.vmpl.to_bytes(4, "little"),
                self.signature_algorithm.to_bytes(4, "little"),
                tcb,
                self.platform_info.to_bytes(8, "little"),
                flags.to_bytes(4, "little"),
                bytes(4),
                self.report_data,
                self.measurement,
                self.host_data,
                self.id_key_digest,
                self.author_key_digest,
                self.report_id,
                b"\xff" * 32,
                tcb,
                cpu.ljust(24, b"\0"),
                chip_id,
                tcb,
                firmware,
                firmware,
                tcb,
            )
        )
        if len(body) > SIGNED_SIZE:
            raise ValueError(f"report body of {len(body)} bytes")
        return body.ljust(SIGNED_SIZE, b"\0")
