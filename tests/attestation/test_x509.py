"""Certificates in strict DER: one reading, or none. Compared with cryptography, which takes more."""

from __future__ import annotations

import random
from calendar import timegm

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from tests.attestation.support import Genuine, flipped
from xmtp_tee.attestation.ecdsa384 import certificate_signature, is_signed_p384
from xmtp_tee.attestation.errors import CertificateMalformedError, QuoteNotGenuineError
from xmtp_tee.attestation.simulator import der
from xmtp_tee.attestation.simulator.certificate import CertificateRecipe, Extension
from xmtp_tee.attestation.simulator.nitro import development_nitro_pki
from xmtp_tee.attestation.x509 import X509, read_x509

NAME = der.name((der.COMMON_NAME, "a certificate"))
KEY = der.sequence(
    bytes.fromhex("301006072a8648ce3d020106052b81040022"), der.bit_string(b"\x04" + bytes(96))
)
NITRO = ["nitro/base_attestation_2026-01.cbor", "nitro/marlin_sample_attestation_2024-02.cbor"]
CHAIN = development_nitro_pki().chain(1_800_000_000)


def build(signature: bytes = b"\x30\x06\x02\x01\x01\x02\x01\x01", **changes: object) -> bytes:
    fields = {
        "serial_number": 1,
        "issuer": NAME,
        "subject": NAME,
        "not_before": 0,
        "not_after": 1,
        "key_info": KEY,
    }
    return CertificateRecipe(**{**fields, **changes}).build(lambda tbs: signature)  # type: ignore[arg-type]


def genuine_certificates(genuine: Genuine) -> list[bytes]:
    from xmtp_tee.attestation.nitro.document import parse_document

    found: list[bytes] = [
        genuine.read("snp/google_vcek.testcer"),
        genuine.read("snp/coco_test-vlek.der"),
    ]
    for name in NITRO:
        document = parse_document(genuine.read(name))
        found += [*document.bundle, document.certificate]
    for name in ("milan", "milan_vlek", "genoa", "genoa_vlek", "turin_vcek", "turin_vlek"):
        certificates = x509.load_pem_x509_certificates(genuine.read(f"snp/ask_ark_{name}.pem"))
        found += [certificate.public_bytes(Encoding.DER) for certificate in certificates]
    return found


@pytest.mark.filterwarnings("ignore:Parsed a serial number:Warning")
def test_genuine_certificates_are_read_as_cryptography_reads_them(genuine: Genuine) -> None:
    for raw in genuine_certificates(genuine):
        ours, theirs = read_x509(raw, "A certificate"), x509.load_der_x509_certificate(raw)
        assert ours.serial_number == theirs.serial_number
        assert ours.issuer == theirs.issuer.public_bytes()
        assert ours.subject == theirs.subject.public_bytes()
        assert ours.not_before == int(theirs.not_valid_before_utc.timestamp())
        assert ours.not_after == int(theirs.not_valid_after_utc.timestamp())
        assert ours.tbs == theirs.tbs_certificate_bytes
        assert ours.signature == theirs.signature
        assert len(ours.extensions) == len(theirs.extensions)
        names = theirs.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        assert ours.common_name == names[0].value


def test_whatever_is_read_strictly_cryptography_reads_alike(genuine: Genuine) -> None:
    """Bent certificates: where both read one, both read the same."""
    generator = random.Random("bent certificates")
    raw = genuine_certificates(genuine)[5]
    read = 0
    for _ in range(400):
        bent = flipped(raw, generator.randrange(8 * len(raw)))
        try:
            ours = read_x509(bent, "A bent certificate")
        except CertificateMalformedError:
            continue
        try:
            theirs = x509.load_der_x509_certificate(bent)
        except ValueError:
            continue
        read += 1
        assert ours.serial_number == theirs.serial_number
        assert ours.tbs == theirs.tbs_certificate_bytes
        assert ours.not_after == int(theirs.not_valid_after_utc.timestamp())
    assert read > 100


@given(st.binary(max_size=200))
def test_random_bytes_raise_only_typed_errors(raw: bytes) -> None:
    with pytest.raises(CertificateMalformedError):
        read_x509(raw, "Random bytes")


@given(st.data())
def test_every_truncation_is_refused(data: st.DataObject) -> None:
    raw = CHAIN[data.draw(st.integers(0, 4))].der
    size = data.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(CertificateMalformedError):
        read_x509(raw[:size], "A truncated certificate")


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("version 1", {"version": 0}),
        ("version 2", {"version": 1}),
        ("version 4", {"version": 3}),
        ("a serial number of 21 octets", {"serial_number": 1 << 160}),
        ("two algorithms", {"inner_algorithm": bytes.fromhex("300a06082a8648ce3d040302")}),
        ("an issuer that is no Name", {"issuer": b"\x31\x00"}),
        ("a key that is no SubjectPublicKeyInfo", {"key_info": b"\x30\x00"}),
        (
            "an extension twice",
            {"extensions": (Extension("1.2.3", False, b""), Extension("1.2.3", True, b""))},
        ),
    ],
)
def test_another_form_is_refused(what: str, changes: dict[str, object]) -> None:
    with pytest.raises(CertificateMalformedError):
        read_x509(build(**changes), what)


def test_serial_number_zero_is_read_for_that_is_what_amd_issues() -> None:
    assert read_x509(build(serial_number=0), "AMD's").serial_number == 0


def test_unused_bits_in_the_signature_are_refused() -> None:
    raw = build()
    bent = raw.replace(b"\x03\x09\x00\x30\x06\x02", b"\x03\x09\x01\x30\x06\x02")
    assert bent != raw
    with pytest.raises(CertificateMalformedError, match="unused bits"):
        read_x509(bent, "A certificate")


@pytest.mark.parametrize(
    ("encoded", "expected"),
    [
        (b"\x17\x0d500101000000Z", timegm((1950, 1, 1, 0, 0, 0))),
        (b"\x17\x0d491231235959Z", timegm((2049, 12, 31, 23, 59, 59))),
        (b"\x17\x0d240229120000Z", timegm((2024, 2, 29, 12, 0, 0))),
        (b"\x18\x0f20500101000000Z", timegm((2050, 1, 1, 0, 0, 0))),
        (b"\x18\x0f99991231235959Z", timegm((9999, 12, 31, 23, 59, 59))),
        (b"\x18\x0f20491231235959Z", None),
        (b"\x17\x0d230229120000Z", None),
        (b"\x18\x0f21000229000000Z", None),
        (b"\x17\x0d240431120000Z", None),
        (b"\x17\x0d241301120000Z", None),
        (b"\x17\x0d240001120000Z", None),
        (b"\x17\x0d240100120000Z", None),
        (b"\x17\x0d240101240000Z", None),
        (b"\x17\x0d240101006000Z", None),
        (b"\x17\x0d240101000060Z", None),
        (b"\x17\x0b2401010000Z", None),
        (b"\x17\x112401010000+0100", None),
        (b"\x17\x0d24010100000xZ", None),
        (b"\x18\x1120500101000000.5Z", None),
        (b"\x17\x00", None),
    ],
)
def test_times_are_rfc_5280s_or_refused(encoded: bytes, expected: int | None) -> None:
    plain = der.sequence(der.utc_time(0), der.utc_time(1))
    raw = build()
    # The times are replaced where the recipe writes them; every length above them is written anew.
    tbs = CertificateRecipe(1, NAME, NAME, 0, 1, KEY).tbs()
    body = tbs[len(tbs) - _content_length(tbs) :].replace(
        plain, der.sequence(der.utc_time(0), encoded)
    )
    assert body.count(encoded) == 1 or encoded == b"\x17\x00"
    algorithm, signature = (
        raw[raw.rindex(b"\x30\x0a\x06\x08") :][:12],
        b"\x30\x06\x02\x01\x01\x02\x01\x01",
    )
    bent = der.sequence(der.sequence(body), algorithm, der.bit_string(signature))
    if expected is None:
        with pytest.raises(CertificateMalformedError):
            read_x509(bent, "A certificate")
    else:
        assert read_x509(bent, "A certificate").not_after == expected


def _content_length(encoding: bytes) -> int:
    first = encoding[1]
    return first if first < 0x80 else int.from_bytes(encoding[2 : 2 + first - 0x80], "big")


def with_extension(kind: str, value: bytes, *, critical: bool = True) -> X509:
    return read_x509(build(extensions=(Extension(kind, critical, value),)), "A certificate")


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\x30",
        b"\x30\x03\x01\x01\x00",
        b"\x30\x03\x01\x01\x01",
        b"\x30\x04\x01\x02\xff\xff",
        b"\x30\x06\x02\x01\x00\x01\x01\xff",
        b"\x30\x06\x01\x01\xff\x02\x01\xff",
        b"\x30\x07\x01\x01\xff\x02\x02\x00\x01",
        b"\x30\x00\x00",
        b"\x04\x00",
    ],
)
def test_basic_constraints_of_another_form_are_refused(value: bytes) -> None:
    with pytest.raises(CertificateMalformedError):
        with_extension("2.5.29.19", value).require_ca(0)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\x03\x01\x00",
        b"\x03\x02\x08\x80",
        b"\x03\x02\x03\x04",
        b"\x03\x04\x00\x01\x01\x01",
        b"\x04\x02\x00\x80",
        b"\x03\x02\x07\x80\x00",
    ],
)
def test_key_usage_of_another_form_is_refused(value: bytes) -> None:
    with pytest.raises(CertificateMalformedError):
        with_extension("2.5.29.15", value).require_end_entity()


def test_key_usage_is_read_bit_by_bit() -> None:
    with_extension("2.5.29.15", b"\x03\x02\x07\x80").require_end_entity()
    # AMD's CAs leave a trailing zero bit in.
    with pytest.raises(QuoteNotGenuineError, match="keyCertSign"):
        with_extension("2.5.29.15", b"\x03\x02\x01\x04").require_end_entity()
    with pytest.raises(QuoteNotGenuineError, match="decipherOnly"):
        with_extension("2.5.29.15", b"\x03\x03\x07\x00\x80").require_end_entity()


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        b"\x30\x06\x02\x01\x01\x02\x01\x01\x00",
        b"\x30\x07\x02\x02\x00\x01\x02\x01\x01",
        b"\x30\x06\x02\x01\x81\x02\x01\x01",
        b"\x30\x03\x02\x01\x01",
        b"\x30\x81\x06\x02\x01\x01\x02\x01\x01",
        der.sequence(der.integer(1 << 384), der.integer(1)),
    ],
)
def test_an_ecdsa_signature_that_is_not_der_is_refused(signature: bytes) -> None:
    """Integers with leading zeros, and numbers too large for their place, are the bugs of others."""
    with pytest.raises(CertificateMalformedError):
        certificate_signature(read_x509(build(signature), "A certificate"))


def test_keys_and_signatures_of_other_sizes_sign_nothing() -> None:
    for key, signature in ((bytes(95), bytes(96)), (bytes(96), bytes(97)), (bytes(96), bytes(96))):
        assert not is_signed_p384(key, signature, b"message")
