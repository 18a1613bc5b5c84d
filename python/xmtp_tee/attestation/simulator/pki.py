"""The development PKI: the same certificates as Intel's, under a root whose key anybody can derive.

Every key comes from a seed by HKDF and every signature is deterministic (RFC 6979), so the same seed gives the
same bytes. Certificates follow Intel's in extensions, their order and their criticality (Intel SGX PCK
Certificate and CRL Profile Specification); only the names differ. No clock is read: times are passed in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509.oid import NameOID

from xmtp_tee.attestation.simulator import der

DEVELOPMENT_SEED = b"xmtp-tee development root: public, forgeable by anyone"
"""The public seed of the development root. WARNING: whoever reads this can forge everything under it."""

NOT_BEFORE = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp())
NOT_AFTER = int(datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
"""The validity of the development certificates, unix seconds; both bounds fit in UTCTime, as Intel's do."""

SGX_EXTENSION_OID = "1.2.840.113741.1.13.1"
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_ROOT_CRL_URL = "https://development.invalid/XmtpTeeDevelopmentRootCA.der"
_PCK_CRL_URL = "https://development.invalid/pckcrl?ca={ca}&encoding=der"


@dataclass(frozen=True, slots=True)
class Platform:
    """What a PCK certificate says of a platform.

    ``ppid`` and ``platform_instance_id`` are 16 bytes, ``tcb_components`` the 16 SVNs, ``cpu_svn`` 16 bytes
    (the components' bytes unless given), ``pce_id`` 2 bytes, ``fmspc`` 6 bytes. ``sgx_type`` is 0 standard,
    1 scalable. A Processor CA's leaf has no instance id and no configuration.
    """

    ppid: bytes = bytes.fromhex("de7e109e000000000000000000000001")
    tcb_components: tuple[int, ...] = (3, 3, 2, 2, 4, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0)
    cpu_svn: bytes | None = None
    pce_svn: int = 11
    pce_id: bytes = bytes(2)
    fmspc: bytes = bytes.fromhex("de7e10000000")
    sgx_type: int = 1
    platform_instance_id: bytes = bytes.fromhex("de7e109e00000000000000000000000a")
    dynamic_platform: bool = True
    cached_keys: bool = True
    smt_enabled: bool = True

    def sgx_extension(self, *, with_platform: bool = True) -> bytes:
        """Return the DER of Intel's SGX extension; ``with_platform`` adds what Platform CA leaves carry."""

        def entry(suffix: str, value: bytes) -> bytes:
            return der.sequence(der.oid(f"{SGX_EXTENSION_OID}.{suffix}"), value)

        components = [
            entry(f"2.{index}", der.integer(svn))
            for index, svn in enumerate(self.tcb_components, start=1)
        ]
        cpu_svn = bytes(self.tcb_components) if self.cpu_svn is None else self.cpu_svn
        entries = [
            entry("1", der.octets(self.ppid)),
            entry(
                "2",
                der.sequence(
                    *components,
                    entry("2.17", der.integer(self.pce_svn)),
                    entry("2.18", der.octets(cpu_svn)),
                ),
            ),
            entry("3", der.octets(self.pce_id)),
            entry("4", der.octets(self.fmspc)),
            entry("5", der.enumerated(self.sgx_type)),
        ]
        if with_platform:
            configuration = der.sequence(
                entry("7.1", der.boolean(self.dynamic_platform)),
                entry("7.2", der.boolean(self.cached_keys)),
                entry("7.3", der.boolean(self.smt_enabled)),
            )
            entries += [
                entry("6", der.octets(self.platform_instance_id)),
                entry("7", configuration),
            ]
        return der.sequence(*entries)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and the private key behind it."""

    key: ec.EllipticCurvePrivateKey = field(repr=False)
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        """The certificate in DER."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> str:
        """The certificate in PEM, ending in a newline."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def public_key(self) -> bytes:
        """x || y, 64 bytes."""
        return public_key_bytes(self.key)

    def sign(self, message: bytes) -> bytes:
        """Return r || s (64 bytes) of the deterministic ECDSA signature over SHA-256 of ``message``."""
        return sign_raw(self.key, message)


@dataclass(frozen=True, slots=True)
class CertificateShape:
    """What can be wrong with a certificate; None leaves what Intel's have.

    ``is_ca`` is what basicConstraints says, ``signs_certificates`` what keyUsage says; key ids are 20 bytes;
    ``issuer_common_name`` replaces the issuer's name; ``signing_key`` signs in the issuer's place.
    """

    is_ca: bool | None = None
    signs_certificates: bool | None = None
    without_key_usage: bool = False
    without_basic_constraints: bool = False
    authority_key_id: bytes | None = None
    subject_key_id: bytes | None = None
    issuer_common_name: str | None = None
    serial: int | None = None
    signing_key: ec.EllipticCurvePrivateKey | None = field(default=None, repr=False)


class DevelopmentPki:
    """Root CA, PCK Platform CA, PCK Processor CA and TCB signer from one seed.

    Two PKIs with different seeds share nothing; attacks are built from a second one.
    ``not_before`` and ``not_after`` bound all certificates of this PKI, unix seconds.
    """

    def __init__(
        self,
        seed: bytes = DEVELOPMENT_SEED,
        *,
        not_before: int = NOT_BEFORE,
        not_after: int = NOT_AFTER,
    ) -> None:
        self.seed = seed
        self.not_before = not_before
        self.not_after = not_after

    def key(self, label: str) -> ec.EllipticCurvePrivateKey:
        """Return the P-256 key of a label, derived from the seed."""
        wide = int.from_bytes(self.derive(f"key/{label}", 48), "big")
        return ec.derive_private_key(wide % (_P256_ORDER - 1) + 1, ec.SECP256R1())

    def derive(self, label: str, size: int) -> bytes:
        """Return ``size`` bytes of the seed's HKDF under a label."""
        info = b"xmtp-tee/simulator/v1/" + label.encode()
        return HKDF(hashes.SHA256(), size, salt=None, info=info).derive(self.seed)

    @cached_property
    def root(self) -> Issued:
        """The self-signed root; its CRL signs for the intermediate CAs and the TCB signer."""
        return self._certificate("root-ca", "XMTP TEE Development Root CA", path_length=1)

    @cached_property
    def platform_ca(self) -> Issued:
        """The CA of multi-package platforms: every TDX platform's leaf comes from it."""
        return self.issue_ca("platform-ca", "XMTP TEE Development PCK Platform CA")

    @cached_property
    def processor_ca(self) -> Issued:
        """The CA of single-processor SGX platforms."""
        return self.issue_ca("processor-ca", "XMTP TEE Development PCK Processor CA")

    @cached_property
    def tcb_signer(self) -> Issued:
        """The signer of TCB info and QE identity."""
        return self.issue_tcb_signer()

    def issue_ca(self, label: str, common_name: str, *, not_after: int | None = None) -> Issued:
        """Issue an intermediate CA (path length 0) under the root."""
        return self._certificate(
            label, common_name, issuer=self.root, path_length=0, not_after=not_after
        )

    def issue_tcb_signer(
        self, label: str = "tcb-signer", *, not_after: int | None = None
    ) -> Issued:
        """Issue a signer of collateral under the root."""
        name = "XMTP TEE Development TCB Signing"
        return self._certificate(label, name, issuer=self.root, not_after=not_after)

    def issue_pck(
        self,
        platform: Platform | None = None,
        *,
        label: str = "pck",
        issuer: Issued | None = None,
        not_before: int | None = None,
        not_after: int | None = None,
        extension: bytes | None = None,
    ) -> Issued:
        """Issue a PCK certificate for a platform (under the Platform CA unless ``issuer`` is given).

        ``extension`` replaces the SGX extension's DER, for tests of malformed ones.
        """
        platform = platform or Platform()
        issuer = issuer or self.platform_ca
        is_processor = issuer is self.processor_ca
        if extension is None:
            extension = platform.sgx_extension(with_platform=not is_processor)
        ca = "processor" if is_processor else "platform"
        return self._certificate(
            label,
            "XMTP TEE Development PCK Certificate",
            issuer=issuer,
            crl_url=_PCK_CRL_URL.format(ca=ca),
            not_before=not_before,
            not_after=not_after,
            sgx_extension=extension,
        )

    def issue(
        self,
        label: str,
        common_name: str = "XMTP TEE Development Certificate",
        *,
        issuer: Issued | None = None,
        shape: CertificateShape | None = None,
        path_length: int | None = None,
        not_before: int | None = None,
        not_after: int | None = None,
        sgx_extension: bytes | None = None,
    ) -> Issued:
        """Issue any certificate: self-signed without ``issuer``, a CA with a ``path_length``; see the shape's knobs."""
        return self._certificate(
            label,
            common_name,
            issuer=issuer,
            shape=shape,
            path_length=path_length,
            not_before=not_before,
            not_after=not_after,
            sgx_extension=sgx_extension,
        )

    def crl(
        self,
        issuer: Issued,
        *,
        this_update: int,
        next_update: int,
        revoked: Iterable[int] = (),
        number: int = 1,
        signer: Issued | None = None,
    ) -> bytes:
        """Return a CRL in DER. ``revoked`` are serial numbers; ``signer`` forges another key's signature."""
        this = _time(this_update)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(issuer.certificate.subject)
            .last_update(this)
            .next_update(_time(next_update))
            .add_extension(x509.CRLNumber(number), critical=False)
            .add_extension(_authority_key_identifier(issuer), critical=False)
        )
        for serial in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(serial)
                .revocation_date(this)
                .add_extension(x509.CRLReason(x509.ReasonFlags.key_compromise), critical=False)
                .build()
            )
        key = (signer or issuer).key
        crl = builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True)
        return crl.public_bytes(serialization.Encoding.DER)

    def _certificate(
        self,
        label: str,
        common_name: str,
        *,
        issuer: Issued | None = None,
        path_length: int | None = None,
        crl_url: str = _ROOT_CRL_URL,
        not_before: int | None = None,
        not_after: int | None = None,
        sgx_extension: bytes | None = None,
        shape: CertificateShape | None = None,
    ) -> Issued:
        shape = shape or CertificateShape()
        key = self.key(label)
        subject = _name(common_name)
        is_ca = path_length is not None if shape.is_ca is None else shape.is_ca
        # The top bit stays clear so that the serial number is positive and has a constant length.
        serial = int.from_bytes(self.derive(f"serial/{label}", 20), "big") >> 1 | 1 << 158
        if shape.serial is not None:
            serial = shape.serial
        authority = (
            _authority_key_identifier(issuer)
            if issuer
            else x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
        )
        if shape.authority_key_id is not None:
            authority = x509.AuthorityKeyIdentifier(shape.authority_key_id, None, None)
        subject_key = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        if shape.subject_key_id is not None:
            subject_key = x509.SubjectKeyIdentifier(shape.subject_key_id)
        issuer_name = issuer.certificate.subject if issuer else subject
        if shape.issuer_common_name is not None:
            issuer_name = _name(shape.issuer_common_name)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer_name)
            .public_key(key.public_key())
            .serial_number(serial)
            .not_valid_before(_time(self.not_before if not_before is None else not_before))
            .not_valid_after(_time(self.not_after if not_after is None else not_after))
            .add_extension(authority, critical=False)
            .add_extension(_crl_distribution_point(crl_url), critical=False)
            .add_extension(subject_key, critical=False)
        )
        usage = is_ca if shape.signs_certificates is None else shape.signs_certificates
        if not shape.without_key_usage:
            builder = builder.add_extension(_key_usage(is_ca=usage), critical=True)
        if not shape.without_basic_constraints:
            constraints = x509.BasicConstraints(is_ca, path_length if is_ca else None)
            builder = builder.add_extension(constraints, critical=True)
        if sgx_extension is not None:
            builder = builder.add_extension(
                x509.UnrecognizedExtension(x509.ObjectIdentifier(SGX_EXTENSION_OID), sgx_extension),
                critical=False,
            )
        signing_key = shape.signing_key or (issuer.key if issuer else key)
        certificate = builder.sign(signing_key, hashes.SHA256(), ecdsa_deterministic=True)
        return Issued(key, certificate)


def unrelated_serials(count: int, seed: bytes = b"") -> tuple[int, ...]:
    """Return that many serial numbers, 20 bytes each, that no certificate of the PKI has: to fill CRLs with."""
    return tuple(
        int.from_bytes(
            hashlib.sha256(b"unrelated serial" + seed + index.to_bytes(4, "big")).digest()[:20],
            "big",
        )
        >> 1
        | 1 << 157
        for index in range(count)
    )


def sign_raw(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """Return r || s (64 bytes) of the deterministic ECDSA signature over SHA-256 of ``message``."""
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    signature = key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    r, s = decode_dss_signature(signature)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def public_key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return x || y (64 bytes) of a key's public half."""
    numbers = key.public_key().public_numbers()
    return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


@cache
def development_pki() -> DevelopmentPki:
    """Return the PKI of :data:`DEVELOPMENT_SEED`."""
    return DevelopmentPki()


def development_root_certificate() -> bytes:
    """Return the DER of the development root: what a development deployment pins."""
    return development_pki().root.der


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "XMTP TEE Development"),
            x509.NameAttribute(NameOID.LOCALITY_NAME, "Nowhere"),
            x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, "NA"),
            x509.NameAttribute(NameOID.COUNTRY_NAME, "ZZ"),
        ]
    )


def _authority_key_identifier(issuer: Issued) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())


def _crl_distribution_point(url: str) -> x509.CRLDistributionPoints:
    name = x509.UniformResourceIdentifier(url)
    return x509.CRLDistributionPoints([x509.DistributionPoint([name], None, None, None)])


def _key_usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_ca,
        content_commitment=not is_ca,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        encipher_only=False,
        decipher_only=False,
    )
