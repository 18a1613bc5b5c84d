"""PCK certificates: what the chain keeps of one, and the id under which evidence names it.

The layout of what is kept is defined in contracts/interfaces/IDcapCertificates.sol (``PckRecord``).
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from xmtp_tee.attestation.dcap.der import (
    ENUMERATED,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    Der,
)
from xmtp_tee.attestation.dcap.errors import PckCertificateError
from xmtp_tee.hashing import keccak256

SGX_EXTENSION = x509.ObjectIdentifier("1.2.840.113741.1.13.1")
"""Intel SGX PCK Certificate and CRL Profile Specification, 1.3.5."""

_PREFIX = bytes.fromhex("2a864886f84d010d01")
_PPID, _TCB, _PCEID, _FMSPC, _SGX_TYPE, _INSTANCE, _CONFIGURATION = range(1, 8)
_PCESVN, _CPUSVN = 17, 18


@dataclass(frozen=True, slots=True)
class PckCertificate:
    """What the chain keeps of a PCK certificate.

    ``x``, ``y``: the public key, 32 bytes each. ``component_svns``: the 16 SGX TCB component SVNs.
    ``ca``: the index of the issuing CA on chain, by default the first byte of its key id.
    ``not_after``: unix seconds.
    """

    x: bytes
    y: bytes
    component_svns: bytes
    pcesvn: int
    fmspc: bytes
    pceid: bytes
    ca: int
    not_after: int
    revocation_key: bytes
    ppid: bytes

    @property
    def packed(self) -> bytes:
        """The two words that stand for the certificate on chain, 64 bytes."""
        return (
            self.component_svns
            + self.pcesvn.to_bytes(2, "big")
            + self.fmspc
            + self.pceid
            + bytes([self.ca])
            + self.not_after.to_bytes(5, "big")
            + self.revocation_key
            + self.ppid
        )

    @property
    def pck_id(self) -> bytes:
        """keccak256(abi.encode(x, y, word1, word2)), 32 bytes."""
        return keccak256(self.x + self.y + self.packed)


def parse_pck_certificate(der: bytes, *, ca: int | None = None) -> PckCertificate:
    """Read a PCK certificate; ``ca`` overrides the index of its issuer on chain.

    :raises PckCertificateError: no X.509 certificate, no P-256 key, or no well-formed SGX extension
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        key = certificate.public_key()
        extension = certificate.extensions.get_extension_for_oid(SGX_EXTENSION).value
        authority = certificate.extensions.get_extension_for_class(
            x509.AuthorityKeyIdentifier
        ).value
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension) as error:
        raise PckCertificateError(
            "the certificate is no PCK certificate", got=str(error) or type(error).__name__
        ) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise PckCertificateError("the certificate's key is not on P-256", got=type(key).__name__)
    if authority.key_identifier is None or len(authority.key_identifier) != 20:
        raise PckCertificateError("the certificate names no issuer key of 20 bytes")
    if not isinstance(extension, x509.UnrecognizedExtension):
        raise PckCertificateError("the SGX extension cannot be read")
    fields = _sgx_extension(extension.value)
    tcb = _tcb(fields[_TCB])
    numbers = key.public_numbers()
    issuer_key_id = authority.key_identifier
    serial = certificate.serial_number.to_bytes(32, "big")
    return PckCertificate(
        x=numbers.x.to_bytes(32, "big"),
        y=numbers.y.to_bytes(32, "big"),
        component_svns=bytes(tcb[:16]),
        pcesvn=tcb[16],
        fmspc=fields[_FMSPC],
        pceid=fields[_PCEID],
        ca=issuer_key_id[0] if ca is None else ca,
        not_after=int(certificate.not_valid_after_utc.timestamp()),
        revocation_key=keccak256(issuer_key_id + serial)[:16],
        ppid=fields[_PPID],
    )


def _sgx_extension(value: bytes) -> dict[int, bytes]:
    """Return the members of the SGX extension by the last number of their OID."""
    outer = Der(value)
    members = outer.sequence()
    outer.end()
    kinds = {
        _PPID: (OCTET_STRING, 16),
        _TCB: (SEQUENCE, None),
        _PCEID: (OCTET_STRING, 2),
        _FMSPC: (OCTET_STRING, 6),
        _SGX_TYPE: (ENUMERATED, 1),
        _INSTANCE: (OCTET_STRING, 16),
        _CONFIGURATION: (SEQUENCE, None),
    }
    found: dict[int, bytes] = {}
    while not members.exhausted:
        pair = members.sequence()
        identifier = pair.take(OBJECT_IDENTIFIER)
        number = identifier[-1] if identifier[:-1] == _PREFIX else 0
        if number not in kinds or number in found:
            raise PckCertificateError(
                "the SGX extension holds an unknown or a repeated member", got=identifier.hex()
            )
        tag, size = kinds[number]
        found[number] = pair.take(tag, size)
        pair.end()
    missing = {_PPID, _TCB, _PCEID, _FMSPC, _SGX_TYPE} - found.keys()
    if missing:
        raise PckCertificateError("the SGX extension lacks members", got=sorted(missing))
    return found


def _tcb(content: bytes) -> list[int]:
    """Return the 16 component SVNs and PCESVN."""
    reader = Der(content, "the SGX extension's TCB")
    values = []
    for number in range(1, _CPUSVN + 1):
        pair = reader.sequence()
        identifier = pair.take(OBJECT_IDENTIFIER)
        expected = _PREFIX + bytes([_TCB, number])
        if identifier != expected:
            raise PckCertificateError(
                "the SGX extension's TCB is in another order",
                got=identifier.hex(),
                expected=expected.hex(),
            )
        if number == _CPUSVN:
            pair.take(OCTET_STRING, 16)
        else:
            values.append(pair.unsigned(0xFFFF if number == _PCESVN else 0xFF))
        pair.end()
    reader.end()
    return values
