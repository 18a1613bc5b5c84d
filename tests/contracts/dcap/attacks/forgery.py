"""Certificates that an attacker can make: names and key ids of the genuine PKI, keys of the attacker's own."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.contracts.dcap.attacks.der_mutations import header, length
from xmtp_tee.attestation.simulator import DevelopmentPki, development_pki
from xmtp_tee.attestation.simulator.pki import NOT_AFTER, NOT_BEFORE, Issued

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ATTACKER = DevelopmentPki(b"attacker")


def resigned(
    template: Issued,
    key: ec.EllipticCurvePrivateKey,
    *,
    subject_key: ec.EllipticCurvePrivateKey | None = None,
    issuer: x509.Name | None = None,
    authority: bytes | bool | None = True,
) -> Issued:
    """``template`` with another public key, issuer or authority key id, signed by ``key``.

    ``authority``: True keeps it, None leaves the extension out, bytes replace it.
    """
    genuine = template.certificate
    public = subject_key or template.key
    builder = (
        x509.CertificateBuilder()
        .subject_name(genuine.subject)
        .issuer_name(issuer or genuine.issuer)
        .public_key(public.public_key())
        .serial_number(genuine.serial_number)
        .not_valid_before(datetime.fromtimestamp(NOT_BEFORE, UTC))
        .not_valid_after(datetime.fromtimestamp(NOT_AFTER, UTC))
    )
    for extension in genuine.extensions:
        value: x509.ExtensionType = extension.value
        if isinstance(value, x509.AuthorityKeyIdentifier) and authority is not True:
            if authority is None:
                continue
            assert isinstance(authority, bytes)
            value = x509.AuthorityKeyIdentifier(authority, None, None)
        if isinstance(value, x509.SubjectKeyIdentifier) and subject_key is not None:
            value = x509.SubjectKeyIdentifier.from_public_key(subject_key.public_key())
        builder = builder.add_extension(value, critical=extension.critical)
    return Issued(public, builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True))


def key_id(issued: Issued) -> bytes:
    """The subject key identifier."""
    found = issued.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return found.value.digest


def low_s_twin(der: bytes) -> bytes:
    """The same certificate or CRL with the signature's other s: other bytes, as valid as before."""
    from cryptography.hazmat.primitives.asymmetric.utils import (
        decode_dss_signature,
        encode_dss_signature,
    )

    _, start, _ = header(der, 0)
    _, _, signed_end = header(der, start)
    _, _, algorithm_end = header(der, signed_end)
    _, signature_start, signature_end = header(der, algorithm_end)
    r, s = decode_dss_signature(der[signature_start + 1 : signature_end])
    twin = b"\0" + encode_dss_signature(r, P256_ORDER - s)
    body = der[start:algorithm_end] + b"\x03" + length(len(twin)) + twin
    return b"\x30" + length(len(body)) + body


def certificate_of(der: bytes, like: Issued) -> Issued:
    """``der`` in the place of a certificate, with its key."""
    return Issued(like.key, x509.load_der_x509_certificate(der))


def genuine_pck() -> Issued:
    return development_pki().issue_pck()
