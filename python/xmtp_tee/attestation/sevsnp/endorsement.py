"""The certificate of the key that signs reports, VCEK or VLEK, and what it says of the platform.

Source: AMD 57230 (VCEK certificate and KDS interface): extensions under 1.3.6.1.4.1.3704.1. These certificates have
neither basicConstraints nor keyUsage, and all of them the serial number zero: what is revoked is named by its key.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from xmtp_tee.attestation.der import IA5_STRING, Der
from xmtp_tee.attestation.ecdsa384 import p384_key
from xmtp_tee.attestation.errors import CertificateMalformedError, PlatformMismatchError
from xmtp_tee.attestation.sevsnp.product import ProductLine, Tcb
from xmtp_tee.attestation.sevsnp.report import SigningKey, SnpReport
from xmtp_tee.attestation.x509 import X509

_PREFIX = bytes.fromhex("2b060104019c7801")
"""1.3.6.1.4.1.3704.1, the content of the OBJECT IDENTIFIER."""
_STRUCT_VERSION, _PRODUCT_NAME = b"\x01", b"\x02"
_BOOT_LOADER, _TEE, _SNP, _MICROCODE, _FMC = (b"\x03" + bytes([n]) for n in (1, 2, 3, 8, 9))
_RESERVED = tuple(b"\x03" + bytes([n]) for n in (4, 5, 6, 7))
_HARDWARE_ID, _CSP_ID = b"\x04", b"\x05"
_KNOWN = {
    *(_STRUCT_VERSION, _PRODUCT_NAME, _BOOT_LOADER, _TEE, _SNP, _MICROCODE, _FMC),
    *(*_RESERVED, _HARDWARE_ID, _CSP_ID),
}
_MAX_TEXT = 64


@dataclass(frozen=True, slots=True)
class Endorsement:
    """What a VCEK or VLEK certificate says. ``key`` is x || y, 96 bytes.

    ``hardware_id`` is the chip's (64 bytes, 8 on Turin) and only in a VCEK; ``provider`` the cloud provider's name and
    only in a VLEK.
    """

    certificate: X509 = field(repr=False)
    signing_key: SigningKey
    product: ProductLine
    product_name: str
    tcb: Tcb
    hardware_id: bytes | None
    provider: str | None
    key: bytes


def read_endorsement(certificate: X509, product: ProductLine) -> Endorsement:
    """Read a VCEK or VLEK certificate of a product line.

    :raises CertificateMalformedError: not AMD's profile
    :raises PlatformMismatchError: another product than its issuer's
    """
    found = _extensions(certificate)
    is_vcek = _HARDWARE_ID in found
    if is_vcek == (_CSP_ID in found):
        raise CertificateMalformedError(
            f"{certificate.name} is neither a chip's nor a cloud provider's.",
            expected="either hwID (VCEK) or cspID (VLEK)",
        )
    product_name = _text(found, _PRODUCT_NAME, certificate)
    if product_name.partition("-")[0] not in product.product_names:
        raise PlatformMismatchError(
            f"{certificate.name} is for another product than its issuer.",
            got=product_name,
            expected=product.label,
        )
    _number(found, _STRUCT_VERSION, certificate)
    return Endorsement(
        certificate=certificate,
        signing_key=SigningKey.VCEK if is_vcek else SigningKey.VLEK,
        product=product,
        product_name=product_name,
        tcb=_tcb(found, product, certificate),
        hardware_id=_hardware_id(found, product, certificate) if is_vcek else None,
        provider=None if is_vcek else _text(found, _CSP_ID, certificate),
        key=p384_key(certificate),
    )


def require_platform(report: SnpReport, endorsement: Endorsement) -> Tcb:
    """Refuse a report of another platform than the certificate's; return the TCB that both state.

    A VCEK is derived from the chip and from its TCB, so a report that names another one cannot be its.

    :raises PlatformMismatchError: another kind of key, TCB, chip or processor
    :raises SnpReportMalformedError: a TCB version has reserved bytes
    """
    product = endorsement.product
    tcb = Tcb.decode(report.reported_tcb, product)
    pairs: list[tuple[str, object, object]] = [
        ("kind of signing key", report.signing_key.name, endorsement.signing_key.name),
        ("reported TCB", tcb, endorsement.tcb),
    ]
    if endorsement.hardware_id is not None:
        chip_id = endorsement.hardware_id.ljust(len(report.chip_id), b"\0")
        pairs.append(("chip id", report.chip_id.hex(), chip_id.hex()))
    for what, got, expected in pairs:
        if got != expected:
            raise PlatformMismatchError(
                f"The report's {what} is not that of {endorsement.certificate.name}.",
                got=got,
                expected=expected,
            )
    if report.cpu is not None and not product.has_cpu(*report.cpu[:2]):
        raise PlatformMismatchError(
            "The report comes from a processor of another product line.",
            got="CPUID family {:#x}, model {:#x}".format(*report.cpu[:2]),
            expected=product.label,
        )
    return tcb


def _extensions(certificate: X509) -> dict[bytes, bytes]:
    """Return AMD's extensions by what follows their prefix; there may be no other that matters."""
    found: dict[bytes, bytes] = {}
    for oid, extension in certificate.extensions.items():
        suffix = oid.removeprefix(_PREFIX)
        known = oid.startswith(_PREFIX) and suffix in _KNOWN
        if extension.critical or (oid.startswith(_PREFIX) and not known):
            raise CertificateMalformedError(
                f"{certificate.name} has an extension that is not known.", got=oid.hex()
            )
        if known:
            found[suffix] = extension.value
    return found


def _value(found: dict[bytes, bytes], suffix: bytes, certificate: X509) -> Der:
    if suffix not in found:
        raise CertificateMalformedError(
            f"{certificate.name} lacks an extension.", expected=(_PREFIX + suffix).hex()
        )
    return Der(found[suffix], f"An extension of {certificate.name}", CertificateMalformedError)


def _number(found: dict[bytes, bytes], suffix: bytes, certificate: X509) -> int:
    reader = _value(found, suffix, certificate)
    number = reader.unsigned(255)
    reader.end()
    return number


def _text(found: dict[bytes, bytes], suffix: bytes, certificate: X509) -> str:
    reader = _value(found, suffix, certificate)
    text = reader.take(IA5_STRING).decode("ascii", errors="replace")
    reader.end()
    if not text or len(text) > _MAX_TEXT or not text.isascii() or not text.isprintable():
        raise reader.wrong("text that is not printable ASCII", repr(text)[:80], "ASCII")
    return text


def _tcb(found: dict[bytes, bytes], product: ProductLine, certificate: X509) -> Tcb:
    is_turin = product is ProductLine.TURIN
    if _FMC in found and not is_turin:
        raise CertificateMalformedError(f"{certificate.name} has an FMC, which only Turin has.")
    for suffix in _RESERVED:
        # Of Turin's certificates some leave reserved components out.
        optional = is_turin and suffix not in found
        if not optional and _number(found, suffix, certificate) != 0:
            raise CertificateMalformedError(
                f"{certificate.name} has a reserved component that is not zero.", got=suffix.hex()
            )
    return Tcb(
        boot_loader=_number(found, _BOOT_LOADER, certificate),
        tee=_number(found, _TEE, certificate),
        snp=_number(found, _SNP, certificate),
        microcode=_number(found, _MICROCODE, certificate),
        fmc=_number(found, _FMC, certificate) if is_turin else 0,
    )


def _hardware_id(found: dict[bytes, bytes], product: ProductLine, certificate: X509) -> bytes:
    """Return hwID. AMD writes the bare bytes, without the OCTET STRING that DER would have around them."""
    hardware_id = found[_HARDWARE_ID]
    if len(hardware_id) != product.chip_id_size:
        raise CertificateMalformedError(
            f"{certificate.name} has a hardware id of another size.",
            got=len(hardware_id),
            expected=product.chip_id_size,
        )
    return hardware_id
