"""What the tests of NitroVerifier share: documents, their chains, deployment, evidence."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from tests.contracts.crypto import p384_support
from tests.support.chain import Chain
from tests.support.fixtures import attestation_fixture
from xmtp_tee.attestation.p384.curve import Point
from xmtp_tee.attestation.p384.witness import make_witness
from xmtp_tee.attestation.simulator import der
from xmtp_tee.attestation.simulator.certificate import p384_signer
from xmtp_tee.hashing import keccak256

DAY = 86_400
ECDSA_SHA384 = bytes.fromhex("300a06082a8648ce3d040303")
SIGNED_HEAD = bytes.fromhex("846a5369676e61747572653144a101382240")


@dataclass(frozen=True)
class Fixture:
    """A genuine document and a second at which all of its chain is valid."""

    name: str
    time: int

    @property
    def document(self) -> bytes:
        return attestation_fixture(self.name).read_bytes()


JANUARY_2026 = Fixture("nitro/base_attestation_2026-01.cbor", 1_767_472_867)
FEBRUARY_2024 = Fixture("nitro/marlin_sample_attestation_2024-02.cbor", 1_708_930_921)
DEBUG_2022 = Fixture("nitro/evervault_debug_mode_attestation.cbor", 1_665_582_606)


def root_certificate() -> bytes:
    pem = attestation_fixture("nitro/aws_nitro_root.pem").read_bytes()
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


# --- CBOR -----------------------------------------------------------------------------------------


def head(major: int, value: int) -> bytes:
    """A head in its shortest form."""
    if value < 24:
        return bytes([major << 5 | value])
    for size, mark in ((1, 24), (2, 25), (4, 26), (8, 27)):
        if value < 256**size:
            return bytes([major << 5 | mark]) + value.to_bytes(size, "big")
    raise OverflowError(value)


def byte_string(value: bytes) -> bytes:
    return head(2, len(value)) + value


def text(value: str) -> bytes:
    return head(3, len(value)) + value.encode()


def encode(value: Any) -> bytes:
    """Null, numbers, texts, byte strings, lists and maps; bytes in a `Raw` stand for themselves."""
    if isinstance(value, Raw):
        return value.data
    if value is None:
        return b"\xf6"
    if isinstance(value, int):
        return head(0, value)
    if isinstance(value, str):
        return text(value)
    if isinstance(value, bytes):
        return byte_string(value)
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(encode(item) for item in value)
    pairs = (encode(key) + encode(item) for key, item in value.items())
    return head(5, len(value)) + b"".join(pairs)


@dataclass(frozen=True)
class Raw:
    """CBOR as it is to stand in the document."""

    data: bytes


def _item(data: bytes, offset: int) -> tuple[Any, int]:
    major, info = data[offset] >> 5, data[offset] & 0x1F
    offset += 1
    size = {24: 1, 25: 2, 26: 4, 27: 8}.get(info, 0)
    value = int.from_bytes(data[offset : offset + size], "big") if size else info
    offset += size
    if major == 0:
        return value, offset
    if major in (2, 3):
        raw = data[offset : offset + value]
        return (raw if major == 2 else raw.decode()), offset + value
    if major == 7:
        return None, offset
    indefinite, items = info == 31, []
    while data[offset] != 0xFF if indefinite else len(items) < value * (major - 3):
        item, offset = _item(data, offset)
        items.append(item)
    offset += indefinite
    return (items if major == 4 else dict(zip(items[::2], items[1::2], strict=True))), offset


def payload_of(document: bytes) -> bytes:
    payload, _ = _item(document, 7)
    assert isinstance(payload, bytes)
    return payload


def fields_of(document: bytes) -> dict[str, Any]:
    fields, _ = _item(payload_of(document), 0)
    assert isinstance(fields, dict)
    return fields


def with_payload(document: bytes, payload: bytes) -> bytes:
    """The document with another payload under the same signature."""
    return document[:7] + byte_string(payload) + document[-98:]


# --- certificates ---------------------------------------------------------------------------------


def chain_of(document: bytes) -> list[bytes]:
    """The certificates from the root to the leaf."""
    fields = fields_of(document)
    return [*fields["cabundle"], fields["certificate"]]


def _value(data: bytes, offset: int) -> tuple[int, int]:
    """Where the content of a DER value begins and ends."""
    length, start = data[offset + 1], offset + 2
    if length >= 0x80:
        size = length - 0x80
        length, start = int.from_bytes(data[start : start + size], "big"), start + size
    return start, start + length


def tbs(certificate: bytes) -> bytes:
    """The signed part, of certificates too that no library reads."""
    start, _ = _value(certificate, 0)
    return certificate[start : _value(certificate, start)[1]]


def signature(certificate: bytes) -> tuple[int, int]:
    start, end = _value(certificate, 0)
    _, after = _value(certificate, start + len(tbs(certificate)))
    return decode_dss_signature(certificate[_value(certificate, after)[0] + 1 : end])


def certificate_id(certificate: bytes) -> bytes:
    return keccak256(tbs(certificate))[:20]


def point(certificate: bytes) -> Point:
    key = x509.load_der_x509_certificate(certificate).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return Point(key.public_numbers().x, key.public_numbers().y)


def revocation_issuer(certificate: bytes) -> bytes:
    """keccak256 of the issuer's name, as `isRevoked` takes it."""
    return keccak256(x509.load_der_x509_certificate(certificate).issuer.public_bytes())


def crl(
    issuer: bytes,
    key: ec.EllipticCurvePrivateKey,
    serials: list[int],
    *,
    issued: int,
    name: bytes | None = None,
) -> bytes:
    """A list of ``issuer``'s, signed by ``key``; ``name`` stands in the place of the issuer's."""
    certificate = x509.load_der_x509_certificate(issuer)
    key_id = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    identifier = der.sequence(der.tlv(0x80, key_id.value.digest))
    entries = [der.sequence(der.integer(serial), der.utc_time(issued)) for serial in serials]
    signed = der.sequence(
        der.integer(1),
        ECDSA_SHA384,
        name or certificate.subject.public_bytes(),
        der.utc_time(issued),
        der.utc_time(issued + 7 * DAY),
        der.sequence(*entries) if entries else b"",
        der.tlv(0xA0, der.sequence(der.sequence(der.oid("2.5.29.35"), der.octets(identifier)))),
    )
    return der.sequence(signed, ECDSA_SHA384, der.bit_string(p384_signer(key)(signed)))


def crl_witness(revocations: bytes, issuer: bytes) -> bytes:
    """Certificates and lists are signed in the same form."""
    return certificate_witness(revocations, issuer)


# --- witnesses and evidence -----------------------------------------------------------------------


def digest(signed: bytes) -> int:
    return int.from_bytes(hashlib.sha384(signed).digest(), "big")


@cache
def certificate_witness(certificate: bytes, issuer: bytes) -> bytes:
    return make_witness(digest(tbs(certificate)), *signature(certificate), point(issuer))


@cache
def document_witness(document: bytes) -> bytes:
    r, s = (int.from_bytes(part, "big") for part in (document[-96:-48], document[-48:]))
    return make_witness(digest(SIGNED_HEAD + document[7:-98]), r, s, point(chain_of(document)[-1]))


def chain_witnesses(certificates: list[bytes]) -> list[bytes]:
    return [
        certificate_witness(child, parent) for parent, child in itertools.pairwise(certificates)
    ]


def sized(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def evidence(document: bytes, witness: bytes, chain: list[bytes] | None = None) -> bytes:
    """The chain's witnesses are those of its last certificates."""
    chain = chain or []
    head_ = b"\x00" + sized(document) + sized(witness) + bytes([len(chain)])
    return head_ + b"".join(sized(one) for one in chain)


def evidence_of(document: bytes, unknown: int = 4) -> bytes:
    """Evidence with the witnesses of the last ``unknown`` certificates; witnesses are made once a run."""
    chain = chain_of(document)
    last = chain[len(chain) - 1 - unknown :]
    return evidence(document, document_witness(document), chain_witnesses(last))


# --- values ---------------------------------------------------------------------------------------


def workload(document: bytes) -> bytes:
    pcrs = fields_of(document)["pcrs"]
    tag = keccak256(b"xmtp-tee/workload/nitro/v1")
    return keccak256(tag + b"".join(pcrs[index] for index in (0, 1, 2, 8)))


def instance(document: bytes) -> bytes:
    module: str = fields_of(document)["module_id"]
    return keccak256(module.partition("-enc")[0].encode())[:16]


def deploy(chain: Chain, root: bytes, grace: int = 0) -> Any:
    p384 = p384_support.deploy(chain)
    hasher = chain.deploy("Sha384Hasher")
    return chain.deploy("NitroVerifier", p384.address, hasher.address, root, grace)


def forget(chain: Chain, verifier: Any, certificate: bytes) -> None:
    """Clear what is stored of a certificate: its record, its serial number and, of a leaf, its instance.

    The three mappings are the contract's first state variables, in this order.
    """
    identifier = certificate_id(certificate).ljust(32, b"\0")
    serial = x509.load_der_x509_certificate(certificate).serial_number
    key = keccak256(revocation_issuer(certificate) + serial.to_bytes(32, "big"))
    for slot, index in ((0, identifier), (1, key), (2, identifier)):
        place = keccak256(index + slot.to_bytes(32, "big"))
        chain.set_storage(verifier.address, int.from_bytes(place, "big"), bytes(32))
