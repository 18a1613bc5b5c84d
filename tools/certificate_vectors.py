"""Writes tests/vectors/certificates.json: a small PKI of Intel's shape, forged in every way that matters.

Everything is DER put together by hand, since no library writes what a strict reader must refuse. Keys come
from labels and signatures are deterministic (RFC 6979), so the file is the same on every run:
`python tools/certificate_vectors.py` writes it, `--check` fails when it is stale.

The keys are public knowledge. Nothing signed by them means anything.
"""

import hashlib
import json
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

OUTPUT = Path(__file__).resolve().parent.parent / "tests" / "vectors" / "certificates.json"

N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
DAY = 86_400
NOW = 1_800_000_000  # 2027-01-15, the time the tests warp to
FROM = NOW - 365 * DAY
UNTIL = NOW + 5 * 365 * DAY


# --- DER ------------------------------------------------------------------------------------------


def tlv(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def seq(*parts: bytes) -> bytes:
    return tlv(0x30, *parts)


def integer(value: int) -> bytes:
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def octets(value: bytes) -> bytes:
    return tlv(0x04, value)


def oid(dotted: str) -> bytes:
    first, second, *rest = (int(part) for part in dotted.split("."))
    body = bytes([40 * first + second])
    for part in rest:
        digits = [part & 0x7F]
        while part := part >> 7:
            digits.insert(0, 0x80 | part & 0x7F)
        body += bytes(digits)
    return tlv(0x06, body)


def time(unix: int) -> bytes:
    when = datetime.fromtimestamp(unix, UTC)
    if when.year < 2050:
        return tlv(0x17, when.strftime("%y%m%d%H%M%SZ").encode())
    return tlv(0x18, when.strftime("%Y%m%d%H%M%SZ").encode())


def name(common: str) -> bytes:
    attribute = seq(oid("2.5.4.3"), tlv(0x0C, common.encode()))
    return seq(tlv(0x31, attribute))


def bits(unused: int, *content: int) -> bytes:
    return tlv(0x03, bytes([unused, *content]))


ECDSA_WITH_SHA256 = seq(oid("1.2.840.10045.4.3.2"))
ECDSA_WITH_SHA384 = seq(oid("1.2.840.10045.4.3.3"))
ID_EC_PUBLIC_KEY = oid("1.2.840.10045.2.1")
PRIME256V1 = oid("1.2.840.10045.3.1.7")
SECP256K1 = oid("1.3.132.0.10")
SGX = "1.2.840.113741.1.13.1"


# --- actors ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Actor:
    """A key with the name it is known under."""

    common: str
    key_id_override: bytes = b""

    @property
    def key(self) -> ec.EllipticCurvePrivateKey:
        seed = hashlib.sha256(b"xmtp-tee certificate vectors: " + self.common.encode()).digest()
        return ec.derive_private_key(int.from_bytes(seed, "big") % (N - 1) + 1, ec.SECP256R1())

    @property
    def point(self) -> bytes:
        numbers = self.key.public_key().public_numbers()
        return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")

    @property
    def key_id(self) -> bytes:
        return self.key_id_override or hashlib.sha256(b"\x04" + self.point).digest()[:20]

    @property
    def name(self) -> bytes:
        return name(self.common)

    def sign(self, message: bytes) -> tuple[int, int]:
        algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
        return decode_dss_signature(self.key.sign(message, algorithm))


ROOT = Actor("Vectors Root CA")
PLATFORM = Actor("Vectors Platform CA")
PROCESSOR = Actor("Vectors Processor CA")
# Shares the first byte of its key id, so it has to take the next index.
NEIGHBOUR = Actor("Vectors Neighbour CA", PLATFORM.key_id[:1] + b"\x77" * 19)
SHORT = Actor("Vectors Short-lived CA")
SIGNER = Actor("Vectors TCB Signing")
PCK = Actor("Vectors PCK Certificate")
ATTACKER = Actor("Vectors Attacker")


# --- certificates ---------------------------------------------------------------------------------


def extension(identifier: str, value: bytes, *, critical: bool = False) -> bytes:
    flag = tlv(0x01, b"\xff") if critical else b""
    return seq(oid(identifier), flag, octets(value))


def authority_key_id(key_id: bytes) -> bytes:
    return extension("2.5.29.35", seq(tlv(0x80, key_id)))


def subject_key_id(key_id: bytes) -> bytes:
    return extension("2.5.29.14", octets(key_id))


def key_usage(value: bytes) -> bytes:
    return extension("2.5.29.15", value, critical=True)


def basic_constraints(*parts: bytes) -> bytes:
    return extension("2.5.29.19", seq(*parts), critical=True)


TRUE = tlv(0x01, b"\xff")
CA_USAGE = key_usage(bits(1, 0x06))
END_USAGE = key_usage(bits(6, 0xC0))
CA_PATH_0 = basic_constraints(TRUE, integer(0))
NOT_CA = basic_constraints()
CRL_POINT = extension("2.5.29.31", seq())


@dataclass(frozen=True)
class Cert:
    """A certificate to be made. Fields that hold bytes are DER and replace what would be there."""

    subject: Actor
    issuer: Actor
    serial: int
    usage: bytes = END_USAGE
    constraints: bytes = NOT_CA
    extra: bytes = b""
    not_before: int = FROM
    not_after: int = UNTIL
    named_issuer: Actor | None = None  # whose name and key id it claims; the issuer's by default
    signer: Actor | None = None
    serial_der: bytes = b""
    inner_algorithm: bytes = ECDSA_WITH_SHA256
    outer_algorithm: bytes = ECDSA_WITH_SHA256
    aki: bytes | None = None
    ski: bytes | None = None
    issuer_name: bytes = b""
    version: bytes = tlv(0xA0, integer(2))
    curve: bytes = PRIME256V1
    twin: bool = False

    def to_be_signed(self) -> bytes:
        claimed = self.named_issuer or self.issuer
        key = seq(seq(ID_EC_PUBLIC_KEY, self.curve), bits(0, 4, *self.subject.point))
        aki = authority_key_id(claimed.key_id) if self.aki is None else self.aki
        ski = subject_key_id(self.subject.key_id) if self.ski is None else self.ski
        extensions = seq(aki, CRL_POINT, ski, self.usage, self.constraints, self.extra)
        return seq(
            self.version,
            self.serial_der or integer(self.serial),
            self.inner_algorithm,
            self.issuer_name or claimed.name,
            seq(time(self.not_before), time(self.not_after)),
            self.subject.name,
            key,
            tlv(0xA3, extensions),
        )

    def der(self) -> bytes:
        body = self.to_be_signed()
        r, s = (self.signer or self.issuer).sign(body)
        return signed(body, self.outer_algorithm, r, N - s if self.twin else s)


def signed(body: bytes, algorithm: bytes, r: int, s: int) -> bytes:
    return seq(body, algorithm, bits(0, *seq(integer(r), integer(s))))


def sgx_item(suffix: str, value: bytes) -> bytes:
    return seq(oid(f"{SGX}.{suffix}"), value)


def sgx(
    *,
    svns: list[int] | None = None,
    order: list[int] | None = None,
    cpusvn: bytes | None = None,
    tail: bytes = b"",
    platform: bool = True,
) -> bytes:
    """The SGX extension of a PCK certificate; `platform` adds what the Platform CA's carry."""
    values = svns or [*range(1, 16), 200]
    numbers = order or list(range(1, len(values) + 1))
    components = [sgx_item(f"2.{n}", integer(v)) for n, v in zip(numbers, values, strict=True)]
    tcb = seq(
        *components,
        sgx_item("2.17", integer(40_000)),
        sgx_item("2.18", octets(cpusvn or bytes(min(v, 255) for v in (values + [0] * 16)[:16]))),
    )
    items = [
        sgx_item("1", octets(bytes.fromhex("a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"))),
        sgx_item("2", tcb),
        sgx_item("3", octets(b"\x00\x01")),
        sgx_item("4", octets(bytes.fromhex("b0c06f000000"))),
        sgx_item("5", tlv(0x0A, b"\x01")),
    ]
    if platform:
        items.append(sgx_item("6", octets(bytes(16))))
        items.append(sgx_item("7", seq(sgx_item("7.1", TRUE), sgx_item("7.3", tlv(1, b"\0")))))
    return extension(SGX, seq(*items, tail))


PLATFORM_CERT = Cert(PLATFORM, ROOT, 0xEF01, CA_USAGE, CA_PATH_0)
SIGNER_CERT = Cert(SIGNER, ROOT, 0x5160)
PCK_CERT = Cert(PCK, PLATFORM, 0xC0FFEE, extra=sgx())


def certificates() -> dict[str, bytes]:
    root = Cert(
        ROOT, ROOT, 1, CA_USAGE, basic_constraints(TRUE, integer(1)), not_after=NOW + 30 * 365 * DAY
    )
    ca, signer, pck = PLATFORM_CERT, SIGNER_CERT, PCK_CERT
    unknown = "2.5.29.36"  # policyConstraints
    indefinite = ca.der()
    good = {
        "root": root,
        "root_short": replace(root, not_after=NOW + DAY),
        "root_without_authority_key_id": replace(root, aki=b""),
        "platform_ca": ca,
        "platform_ca_renewed": replace(ca, serial=0xEF02, not_after=UNTIL + DAY),
        "platform_ca_twin": replace(ca, twin=True),
        "processor_ca": replace(ca, subject=PROCESSOR, serial=0xEF03),
        "neighbour_ca": replace(ca, subject=NEIGHBOUR, serial=0xEF04),
        "short_ca": replace(ca, subject=SHORT, serial=0xEF05, not_after=NOW + DAY),
        "tcb_signer": signer,
        "tcb_signer_short": replace(
            signer, subject=Actor("Vectors Short-lived Signing"), serial=0x5161, not_after=NOW + DAY
        ),
        "ca_unknown_extension": replace(ca, extra=extension(unknown, seq())),
        "pck": pck,
        "pck_twin": replace(pck, twin=True),
        "pck_processor": replace(pck, issuer=PROCESSOR, serial=0xC0FFEF, extra=sgx(platform=False)),
        "pck_neighbour": replace(pck, issuer=NEIGHBOUR, serial=0xC0FFF0),
        "pck_short_ca": replace(pck, issuer=SHORT, serial=0xC0FFF1),
        "pck_short": replace(pck, serial=0xC0FFF2, not_after=NOW + DAY),
        "pck_after_2050": replace(pck, serial=0xC0FFF3, not_after=2_600_000_000),
    }
    roots = {
        "root_path_other_key": replace(root, signer=ATTACKER),
        "root_not_ca": replace(root, constraints=NOT_CA, usage=END_USAGE),
        "root_other_issuer": replace(root, issuer_name=ATTACKER.name),
        "root_other_key_id": replace(root, aki=authority_key_id(ATTACKER.key_id)),
        "root_without_key_id": replace(root, ski=b"", aki=b""),
        "root_expired": replace(root, not_after=NOW - 1),
    }
    cas = {
        "ca_wrong_authority_key_id": replace(ca, aki=authority_key_id(ATTACKER.key_id)),
        "ca_without_authority_key_id": replace(ca, aki=b""),
        "ca_without_subject_key_id": replace(ca, ski=b""),
        "ca_key_id_of_19_bytes": replace(ca, ski=subject_key_id(bytes(19))),
        "ca_forged_signature": replace(ca, signer=ATTACKER),
        "ca_self_signed": replace(ca, subject=ATTACKER, issuer=ATTACKER),
        "ca_self_signed_in_root_name": replace(
            ca, subject=ATTACKER, issuer=ATTACKER, issuer_name=ROOT.name
        ),
        "ca_wrong_issuer_name": replace(ca, issuer_name=ATTACKER.name),
        "ca_path_length_1": replace(ca, constraints=basic_constraints(TRUE, integer(1))),
        "ca_path_length_absent": replace(ca, constraints=basic_constraints(TRUE)),
        "ca_without_key_usage": replace(ca, usage=b""),
        "ca_without_cert_sign": replace(ca, usage=key_usage(bits(1, 0x02))),
        "ca_without_crl_sign": replace(ca, usage=key_usage(bits(2, 0x04))),
        "ca_with_digital_signature": replace(ca, usage=key_usage(bits(1, 0x86))),
        "ca_not_ca": replace(ca, constraints=NOT_CA),
        "ca_without_basic_constraints": replace(ca, constraints=b""),
        "ca_expired": replace(ca, not_after=NOW - 1),
        "ca_not_yet_valid": replace(ca, not_before=NOW + 1),
        "ca_unknown_critical": replace(ca, extra=extension(unknown, seq(), critical=True)),
        "ca_duplicate_extension": replace(ca, extra=CA_PATH_0),
        "ca_duplicate_unknown_extension": replace(ca, extra=CRL_POINT),
        "ca_of_root_key": replace(ca, subject=ROOT),
        "ca_key_id_of_root": replace(ca, ski=subject_key_id(ROOT.key_id)),
        "ca_other_key_same_key_id": replace(
            ca, subject=Actor("Vectors Other", PLATFORM.key_id), serial=0xEF06
        ),
        "ca_with_signer_key": replace(ca, subject=SIGNER, serial=0xEF07),
        "ca_serial_zero": replace(ca, serial_der=integer(0)),
        "ca_serial_negative": replace(ca, serial_der=tlv(0x02, b"\xef\x01")),
        "ca_serial_leading_zero": replace(ca, serial_der=tlv(0x02, b"\x00\x01")),
        "ca_serial_empty": replace(ca, serial_der=tlv(0x02)),
        "ca_serial_of_161_bits": replace(ca, serial_der=integer(1 << 160)),
        "ca_algorithms_differ": replace(ca, inner_algorithm=ECDSA_WITH_SHA384),
        "ca_algorithms_differ_outside": replace(ca, outer_algorithm=ECDSA_WITH_SHA384),
        "ca_version_1": replace(ca, version=b""),
        "ca_other_curve": replace(ca, curve=SECP256K1),
        "ca_default_critical_encoded": replace(
            ca, extra=seq(oid(unknown), tlv(1, b"\0"), octets(seq()))
        ),
        "ca_default_ca_encoded": replace(ca, constraints=basic_constraints(tlv(1, b"\0"))),
        "ca_true_as_1": replace(ca, constraints=basic_constraints(tlv(1, b"\1"), integer(0))),
        "ca_key_usage_padded": replace(ca, usage=key_usage(bits(0, 0x06))),
        "ca_long_length_form": replace(ca, serial_der=b"\x02\x81\x02\x00\xef"),
    }
    pcks = {
        "pck_of_leaf": replace(pck, issuer=PCK, subject=ATTACKER),
        "pck_of_signer": replace(pck, issuer=SIGNER),
        "pck_of_root": replace(pck, issuer=ROOT),
        "pck_of_attacker_as_platform": replace(pck, named_issuer=PLATFORM, issuer=ATTACKER),
        "pck_platform_key_id_processor_name": replace(pck, issuer_name=PROCESSOR.name),
        "pck_processor_key_id_platform_name": replace(pck, aki=authority_key_id(PROCESSOR.key_id)),
        "pck_signed_by_processor": replace(pck, signer=PROCESSOR),
        "pck_is_ca": replace(pck, constraints=CA_PATH_0),
        "pck_with_cert_sign": replace(pck, usage=key_usage(bits(2, 0x84))),
        "pck_without_digital_signature": replace(pck, usage=key_usage(bits(6, 0x40))),
        "pck_expired": replace(pck, not_after=NOW - 1),
        "pck_without_sgx": replace(pck, extra=b""),
        "pck_svn_256": replace(pck, extra=sgx(svns=[256] + [0] * 15)),
        "pck_15_components": replace(pck, extra=sgx(svns=[0] * 15)),
        "pck_components_swapped": replace(pck, extra=sgx(order=[2, 1, *range(3, 17)])),
        "pck_cpusvn_other": replace(pck, extra=sgx(cpusvn=bytes(range(1, 17)))),
        "pck_sgx_trailing": replace(pck, extra=sgx(tail=b"\x05\x00")),
    }
    signers = {
        "signer_is_ca": replace(signer, constraints=CA_PATH_0),
        "signer_with_crl_sign": replace(signer, usage=key_usage(bits(1, 0x82))),
        "signer_with_platform_key": replace(signer, subject=PLATFORM, serial=0x5162),
        "signer_of_platform": replace(signer, issuer=PLATFORM),
    }
    made = {k: c.der() for part in (good, roots, cas, pcks, signers) for k, c in part.items()}
    # The outermost SEQUENCE with an indefinite length and an end-of-contents.
    content = indefinite[4:]
    made["ca_indefinite_length"] = b"\x30\x80" + content + b"\0\0"
    body = ca.to_be_signed()
    r, s = ROOT.sign(body)
    padded = tlv(0x02, b"\0" * (2 if r >> 255 else 1) + r.to_bytes(32, "big").lstrip(b"\0"))
    made["ca_signature_leading_zero"] = seq(
        body, ECDSA_WITH_SHA256, bits(0, *seq(padded, integer(s)))
    )
    made["ca_signature_trailing"] = seq(
        body, ECDSA_WITH_SHA256, bits(0, *seq(integer(r), integer(s), integer(0)))
    )
    made["ca_signature_unused_bits"] = seq(
        body, ECDSA_WITH_SHA256, bits(1, *seq(integer(r), integer(s)))
    )
    made["ca_signature_r_zero"] = signed(body, ECDSA_WITH_SHA256, 0, s)
    made["ca_signature_r_plus_n"] = signed(body, ECDSA_WITH_SHA256, r + N, s)
    return made


# --- CRLs -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Crl:
    issuer: Actor
    serials: tuple[int, ...] = ()
    this_update: int = NOW - DAY
    next_update: int = NOW + 30 * DAY
    number: int | None = 1
    signer: Actor | None = None
    issuer_name: bytes = b""
    version: bytes = integer(1)
    aki: bool = True
    extra: bytes = b""
    entry_extra: bytes = b""
    entry_dates: tuple[bytes, ...] = ()  # DER; this_update by default
    twin: bool = False

    def der(self) -> bytes:
        reason = extension("2.5.29.21", tlv(0x0A, b"\x01"))
        dates = self.entry_dates or (time(self.this_update),) * len(self.serials)
        entries = [
            seq(integer(n), date, seq(reason, self.entry_extra) if date else b"")
            for n, date in zip(self.serials, dates, strict=True)
        ]
        number = b"" if self.number is None else extension("2.5.29.20", integer(self.number))
        aki = authority_key_id(self.issuer.key_id) if self.aki else b""
        body = seq(
            self.version,
            ECDSA_WITH_SHA256,
            self.issuer_name or self.issuer.name,
            time(self.this_update),
            time(self.next_update),
            seq(*entries) if entries else b"",
            tlv(0xA0, seq(number, aki, self.extra)),
        )
        r, s = (self.signer or self.issuer).sign(body)
        return signed(body, ECDSA_WITH_SHA256, r, N - s if self.twin else s)


def crls() -> dict[str, bytes]:
    root = Crl(ROOT)
    platform = Crl(PLATFORM, (0x11, 0x22, 0x33))
    entry_critical = extension("2.5.29.29", seq(), critical=True)  # certificateIssuer
    date = time(NOW - DAY)
    february_30 = tlv(0x17, b"260230000000Z")
    delta = extension("2.5.29.27", integer(1), critical=True)
    lists = {
        "crl_root": root,
        "crl_root_long": replace(root, next_update=NOW + 10_000 * DAY),
        "crl_root_revokes_platform": replace(
            root, serials=(PLATFORM_CERT.serial,), this_update=NOW - 60
        ),
        "crl_root_revokes_signer": replace(
            root, serials=(SIGNER_CERT.serial,), this_update=NOW - 60
        ),
        "crl_processor": Crl(PROCESSOR),
        "crl_neighbour": Crl(NEIGHBOUR),
        "crl_short": Crl(SHORT),
        "crl_platform": platform,
        "crl_platform_twin": replace(platform, twin=True),
        "crl_platform_same_second": replace(platform, serials=(0x44,)),
        "crl_platform_older": replace(platform, this_update=NOW - 2 * DAY),
        "crl_platform_shrunk": replace(platform, serials=(0x33,), this_update=NOW - 60, number=2),
        "crl_platform_revokes_pck": replace(
            platform, serials=(PCK_CERT.serial,), this_update=NOW - 60
        ),
        "crl_platform_lower_number": replace(platform, this_update=NOW - 30),
        "crl_platform_without_number": replace(platform, this_update=NOW - 30, number=None),
        "crl_platform_future": replace(platform, this_update=NOW + 1),
        "crl_platform_expired": replace(
            platform, this_update=NOW - 60 * DAY, next_update=NOW - 31 * DAY
        ),
        "crl_platform_signed_by_processor": replace(platform, signer=PROCESSOR),
        "crl_platform_in_processor_name": replace(platform, issuer_name=PROCESSOR.name),
        "crl_of_signer": Crl(SIGNER),
        "crl_of_attacker": Crl(ATTACKER),
        "crl_in_root_name": replace(Crl(ATTACKER), issuer_name=ROOT.name),
        "crl_without_authority_key_id": replace(platform, aki=False),
        "crl_version_1": replace(platform, version=b""),
        "crl_delta": replace(platform, extra=delta),
        "crl_entry_critical": replace(platform, entry_extra=entry_critical),
        "crl_entry_without_date": replace(platform, entry_dates=(date, date, b"")),
        "crl_entry_impossible_date": replace(platform, entry_dates=(date, date, february_30)),
        "crl_entries_of_other_days": replace(
            platform, entry_dates=(time(NOW - 9 * DAY), date, time(2_600_000_000))
        ),
        "crl_serial_negative": replace(platform, serials=(-5,)),
    }
    return {key: value.der() for key, value in lists.items()}


def vectors() -> dict[str, object]:
    actors = (ROOT, PLATFORM, PROCESSOR, NEIGHBOUR, SHORT, SIGNER, PCK)
    return {
        "comment": "Made by tools/certificate_vectors.py. The keys are public knowledge.",
        "now": NOW,
        "keys": {
            actor.common.removeprefix("Vectors ").lower().replace(" ", "_").replace("-", "_"): {
                "keyId": "0x" + actor.key_id.hex(),
                "x": "0x" + actor.point[:32].hex(),
                "y": "0x" + actor.point[32:].hex(),
            }
            for actor in actors
        },
        "der": {key: "0x" + der.hex() for key, der in {**certificates(), **crls()}.items()},
    }


def main(arguments: list[str]) -> int:
    text = json.dumps(vectors(), indent=1) + "\n"
    if arguments == ["--check"]:
        stale = not OUTPUT.exists() or OUTPUT.read_text() != text
        if stale:
            print(f"{OUTPUT.name} is stale: run python tools/{Path(__file__).name}")
        return int(stale)
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
