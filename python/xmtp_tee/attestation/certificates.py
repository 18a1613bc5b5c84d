"""X.509 as DCAP uses it: what our own decisions about certificates need.

Signatures, chains and revocation are verified by dcap-qvl too. It does not look at the role of a certificate,
so that is decided here: a CA signs certificates and CRLs, the TCB signer is certified by the root itself, and a
platform's key signs quoting enclaves only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID, SignatureAlgorithmOID

from xmtp_tee.attestation.errors import CollateralInvalidError, QuoteNotGenuineError

SGX_EXTENSION = x509.ObjectIdentifier("1.2.840.113741.1.13.1")
_READ_ERRORS = (
    ValueError,
    TypeError,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
    UnsupportedAlgorithm,
)
_PEM_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\r\n]+-----END CERTIFICATE-----")


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate's fields; ``name`` says which one it is in messages. Times are unix seconds.

    ``key_bytes`` is x || y (64 bytes). Reading verifies nothing.
    """

    name: str
    der: bytes = field(repr=False)
    serial_number: int
    issuer: bytes
    subject: bytes
    not_before: int
    not_after: int
    key_bytes: bytes
    is_ca: bool
    path_length: int | None
    digital_signature: bool
    key_cert_sign: bool
    crl_sign: bool
    has_sgx_extension: bool
    _parsed: x509.Certificate = field(repr=False)

    @property
    def pem(self) -> str:
        """The certificate in PEM, ending in a newline."""
        return self._parsed.public_bytes(serialization.Encoding.PEM).decode()

    def require_issued_by(self, issuer: Certificate) -> None:
        """Refuse unless ``issuer``'s name and key stand behind this certificate.

        :raises QuoteNotGenuineError: another issuer name, another algorithm, or a bad signature
        """
        if self.issuer != issuer.subject:
            raise QuoteNotGenuineError(
                f"{_upper(self.name)} names another issuer than {issuer.name}.",
                got=_name(self._parsed.issuer),
                expected=_name(issuer._parsed.subject),
            )
        key = issuer._parsed.public_key()
        algorithm = self._parsed.signature_algorithm_oid
        if (
            not isinstance(key, ec.EllipticCurvePublicKey)
            or algorithm != SignatureAlgorithmOID.ECDSA_WITH_SHA256
        ):
            raise QuoteNotGenuineError(
                f"{_upper(self.name)} is not signed by ECDSA with SHA-256.",
                got=algorithm.dotted_string,
            )
        try:
            key.verify(
                self._parsed.signature,
                self._parsed.tbs_certificate_bytes,
                ec.ECDSA(hashes.SHA256()),
            )
        except InvalidSignature as error:
            raise QuoteNotGenuineError(
                f"The signature of {self.name} is not {issuer.name}'s."
            ) from error

    def require_ca(self, *, path_length: int) -> None:
        """Refuse unless it is a CA of this path length that signs certificates and CRLs and nothing else.

        :raises QuoteNotGenuineError: it is not
        """
        if not self.is_ca or self.path_length != path_length:
            raise QuoteNotGenuineError(
                f"{_upper(self.name)} is not a CA of the required path length.",
                got=f"cA {self.is_ca}, path length {self.path_length}",
                expected=f"cA True, path length {path_length}",
            )
        if not (self.key_cert_sign and self.crl_sign) or self.digital_signature:
            raise QuoteNotGenuineError(
                f"{_upper(self.name)} has the wrong key usage.", expected="keyCertSign, cRLSign"
            )

    def require_signer(self, *, platform: bool) -> None:
        """Refuse unless it is an end entity that makes digital signatures.

        ``platform`` says whether it must be a platform's (it carries Intel's SGX extension) or must not be.

        :raises QuoteNotGenuineError: it is not
        """
        if self.is_ca:
            raise QuoteNotGenuineError(f"{_upper(self.name)} is a CA.", expected="an end entity")
        if not self.digital_signature or self.key_cert_sign or self.crl_sign:
            raise QuoteNotGenuineError(
                f"{_upper(self.name)} has the wrong key usage.", expected="digitalSignature"
            )
        if self.has_sgx_extension != platform:
            raise QuoteNotGenuineError(
                f"{_upper(self.name)} has the wrong role.",
                got="a platform's certificate" if self.has_sgx_extension else "no SGX extension",
                expected="the SGX extension" if platform else "no platform's certificate",
            )


def read_certificate(der: bytes, name: str) -> Certificate:
    """Read a certificate in DER.

    :raises QuoteNotGenuineError: it cannot be read, or its key is not on P-256
    """
    try:
        parsed = x509.load_der_x509_certificate(der)
        key = parsed.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
            raise QuoteNotGenuineError(f"The key of {name} is not on P-256.")
        point = key.public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        extensions = {extension.oid: extension.value for extension in parsed.extensions}
        constraints: Any = extensions.get(ExtensionOID.BASIC_CONSTRAINTS)
        usage: Any = extensions.get(ExtensionOID.KEY_USAGE)
        return Certificate(
            name=name,
            der=der,
            serial_number=parsed.serial_number,
            issuer=parsed.issuer.public_bytes(),
            subject=parsed.subject.public_bytes(),
            not_before=int(parsed.not_valid_before_utc.timestamp()),
            not_after=int(parsed.not_valid_after_utc.timestamp()),
            key_bytes=point[1:],
            is_ca=bool(constraints and constraints.ca),
            path_length=constraints.path_length if constraints else None,
            digital_signature=bool(usage and usage.digital_signature),
            key_cert_sign=bool(usage and usage.key_cert_sign),
            crl_sign=bool(usage and usage.crl_sign),
            has_sgx_extension=SGX_EXTENSION in extensions,
            _parsed=parsed,
        )
    except _READ_ERRORS as error:
        raise QuoteNotGenuineError(
            f"{_upper(name)} cannot be read.", cause=str(error)[:200]
        ) from error


def read_signer_chain(pem: str, name: str) -> Certificate:
    """Return the first certificate of a two-certificate PEM chain; the second, the root, is not looked at:
    the pinned root takes its place.

    :raises CollateralInvalidError: not two PEM certificates
    :raises QuoteNotGenuineError: the first one cannot be read
    """
    blocks = _PEM_BLOCK.findall(pem)
    if len(blocks) != 2:
        raise CollateralInvalidError(
            f"The chain of {name} is not in the expected form.",
            got=f"{len(blocks)} certificate(s)",
            expected="the certificate and the root, in PEM",
        )
    try:
        der = x509.load_pem_x509_certificate(blocks[0].encode()).public_bytes(
            serialization.Encoding.DER
        )
    except _READ_ERRORS as error:
        raise CollateralInvalidError(
            f"{_upper(name)} cannot be read.", cause=str(error)[:200]
        ) from error
    return read_certificate(der, name)


def _name(name: x509.Name) -> str:
    return name.rfc4514_string()[:200]


def _upper(name: str) -> str:
    return name[:1].upper() + name[1:]
