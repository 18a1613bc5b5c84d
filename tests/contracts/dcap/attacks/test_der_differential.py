"""The chain's readers of certificates and CRLs against an independent one: the parser of `cryptography`.

Each mutant goes to both. Where both read it, every field must be the same. Where only the chain reads it,
`cryptography` must read it too once the bytes that the chain takes as they are have been replaced: names,
which it compares by hash, and extensions that it ignores because they are not critical. (Whether the public
key is a point of the curve is the precompile's to judge.) Where only `cryptography` reads it, the chain's
refusal must follow from a rule of Intel's profile that the mutant demonstrably breaks. A disagreement that
none of these explains fails.
"""

from __future__ import annotations

import json
import os
import random
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.utils import CryptographyDeprecationWarning
from eth_abi.abi import decode as abi_decode
from web3 import Web3
from web3.contract import Contract

from tests.contracts.dcap.attacks.der_mutations import Node, header, mutate, parse
from tests.support.chain import ROOT, Anvil, Chain, Reverted
from tests.support.fixtures import attestation_fixture
from xmtp_tee.attestation.simulator import development_pki

SGX_EXTENSION = "1.2.840.113741.1.13.1"
UNDERSTOOD = {"2.5.29.14", "2.5.29.15", "2.5.29.19", "2.5.29.35", SGX_EXTENSION}
UNDERSTOOD_IN_CRL = {"2.5.29.20", "2.5.29.35"}
REASON_CODE = "2.5.29.21"
OIDS = {
    "2.5.29.14": "551d0e",
    "2.5.29.15": "551d0f",
    "2.5.29.19": "551d13",
    "2.5.29.20": "551d14",
    "2.5.29.35": "551d23",
    SGX_EXTENSION: "2a864886f84d010d01",
}
P256_KEY = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
KEY_USAGE_BITS = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
)
PYTHON_REFUSES = (
    ValueError,
    TypeError,
    OverflowError,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
    UnsupportedAlgorithm,
)
NO_PATH_LENGTH = 2**256 - 1


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    with Anvil() as anvil:
        yield Chain(anvil)


@pytest.fixture(scope="module")
def reader(chain: Chain) -> Contract:
    deployed = chain.deploy("CertificateReader")
    # The libraries' errors are not in the contract's own ABI.
    chain.know("Der", "DerEcdsaSignature", "DerExtension", "DerTime", "X509", "Crl", "PckExtension")
    return deployed


# --- what `cryptography` reads ----------------------------------------------------------------------


@dataclass(frozen=True)
class CertificateFields:
    """In the order of the contract's struct; names and the point only where `cryptography` read them."""

    serial: int
    not_before: int
    not_after: int
    key: bytes | None
    authority_key_id: bytes
    subject_key_id: bytes
    key_usage: int
    ca: bool
    path_length: int


@dataclass(frozen=True)
class CrlFields:
    this_update: int
    next_update: int
    number: int | None
    authority_key_id: bytes
    serials: list[int]


def python_certificate(der: bytes) -> CertificateFields:
    certificate = x509.load_der_x509_certificate(der)
    extensions = certificate.extensions
    # Whether a name is well formed is no matter of the chain's: see `explained_acceptance`.
    return CertificateFields(
        certificate.serial_number,
        int(certificate.not_valid_before_utc.timestamp()),
        int(certificate.not_valid_after_utc.timestamp()),
        _point(certificate),
        *_key_ids(extensions),
        *_role(extensions),
    )


def _point(certificate: x509.Certificate) -> bytes | None:
    try:
        key = certificate.public_key()
    except PYTHON_REFUSES:
        return None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        return None
    return key.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )[1:]


def _value(extensions: x509.Extensions, kind: type[Any]) -> Any:
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _key_ids(extensions: x509.Extensions) -> tuple[bytes, bytes]:
    authority = _value(extensions, x509.AuthorityKeyIdentifier)
    subject = _value(extensions, x509.SubjectKeyIdentifier)
    return (
        (authority.key_identifier or b"") if authority else bytes(20),
        subject.digest if subject else bytes(20),
    )


def _role(extensions: x509.Extensions) -> tuple[int, bool, int]:
    usage = _value(extensions, x509.KeyUsage)
    bits = 0
    if usage:
        names = KEY_USAGE_BITS
        bits = sum(0x8000 >> i for i, name in enumerate(names) if getattr(usage, name))
        if usage.key_agreement:
            bits |= 0x0100 * usage.encipher_only | 0x0080 * usage.decipher_only
    basic = _value(extensions, x509.BasicConstraints)
    if basic is None:
        return bits, False, NO_PATH_LENGTH
    length = NO_PATH_LENGTH if basic.path_length is None else basic.path_length
    return bits, basic.ca, length


def python_crl(der: bytes) -> CrlFields:
    crl = x509.load_der_x509_crl(der)
    number = _value(crl.extensions, x509.CRLNumber)
    if crl.next_update_utc is None:
        raise ValueError("no nextUpdate")
    entries = list(crl)
    for entry in entries:
        entry.revocation_date_utc  # noqa: B018  (read, because the chain reads it)
    return CrlFields(
        int(crl.last_update_utc.timestamp()),
        int(crl.next_update_utc.timestamp()),
        None if number is None else number.crl_number,
        _key_ids(crl.extensions)[0],
        [entry.serial_number for entry in entries],
    )


# --- what the chain reads ---------------------------------------------------------------------------

_CERTIFICATE = (
    "(uint256,bytes32,bytes32,uint40,uint40,uint256,uint256,bytes20,bytes20,uint16,bool,uint256,"
    "uint256,uint256,bytes32,uint256,uint256)"
)
_CRL = "(bytes32,bytes20,uint40,uint40,bool,uint64,uint256,uint256,bytes32,uint256,uint256)"


def chain_certificate(answer: bytes, der: bytes, point: bytes | None) -> CertificateFields:
    (got,) = abi_decode([_CERTIFICATE], answer)
    tree = parse(der)
    assert tree.children is not None
    signed = tree.children[0]
    assert signed.children is not None
    # What no library gives apart: the names' bytes, and SHA-256 over the signed part as it stands.
    assert got[1] == Web3.keccak(raw(der, signed.children[3]))
    assert got[2] == Web3.keccak(raw(der, signed.children[5]))
    key = got[5].to_bytes(32, "big") + got[6].to_bytes(32, "big")
    return CertificateFields(
        serial=got[0],
        not_before=got[3],
        not_after=got[4],
        key=key if point is not None else None,
        authority_key_id=got[7],
        subject_key_id=got[8],
        key_usage=got[9],
        ca=got[10],
        path_length=got[11],
    )


def chain_crl(answer: bytes) -> CrlFields:
    got, serials = abi_decode([_CRL, "uint256[]"], answer)
    return CrlFields(got[2], got[3], got[5] if got[4] else None, got[1], list(serials))


def raw(der: bytes, node: Node) -> bytes:
    return der[node.start : node.stop]


# --- what explains a difference ---------------------------------------------------------------------


PLAIN_NAME = bytes.fromhex("300c310a300806035504030c0178")
"""CN=x"""


def without_opaque(der: bytes, *, crl: bool) -> bytes:
    """The same with everything replaced that the chain takes as it is."""
    tree = parse(der)
    assert tree.children is not None
    signed = tree.children[0]
    assert signed.children is not None
    fields = signed.children
    for index in (2,) if crl else (3, 5):
        fields[index].raw = PLAIN_NAME
    if crl and fields[5].tag == 0x30:
        for entry in fields[5].children or ():
            # Serial number and date; whatever the reason, the certificate counts as revoked.
            entry.children = (entry.children or [])[:2]
    wrapper = fields[-1].children
    assert wrapper is not None
    understood = {bytes.fromhex(OIDS[oid]) for oid in (UNDERSTOOD_IN_CRL if crl else UNDERSTOOD)}
    extensions = [e for e in wrapper[0].children or () if _identifier(e) in understood]
    wrapper[0].children = extensions
    if not extensions:
        fields.pop()
    return tree.encode()


def _identifier(node: Node) -> bytes:
    """The content of the OID that a SEQUENCE begins with, or nothing."""
    if node.tag != 0x30 or not node.children or node.children[0].tag != 0x06:
        return b""
    return node.children[0].content


def explained_refusal(refused: Reverted, der: bytes, *, crl: bool) -> bool:
    """Whether the mutant breaks the rule that the chain names, though `cryptography` reads it."""
    name, values = refused.name, refused.arguments
    tree = parse(der)
    assert tree.children is not None
    offset = values[0] if values else 0
    if len(tree.children) == 3 and offset >= tree.children[2].start and name.startswith("Der"):
        # `cryptography` leaves the signature's content unread until it verifies.
        return not _strict_signature(raw(der, tree.children[2]))
    if name == "SignatureAlgorithmUnsupported":
        return der.count(ECDSA_WITH_SHA256) < 2
    if crl:
        return _explained_crl(name, values, der)
    certificate = x509.load_der_x509_certificate(der)
    if name == "CertificateVersionUnsupported":
        return certificate.version is not x509.Version.v3
    if name == "SerialNumberZero":
        return certificate.serial_number == 0
    if name == "DerIntegerNegative":
        return certificate.serial_number < 0
    if name == "DerIntegerTooLarge":
        path_length = _role(certificate.extensions)[2]
        return certificate.serial_number >= 2**160 or 255 < path_length < NO_PATH_LENGTH
    if name == "PublicKeyUnsupported":
        return P256_KEY not in der
    if name == "DerTimeInvalid":
        times = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
        return any(time.year < 1970 for time in times)
    if name == "ExtensionCriticalUnknown":
        return any(
            e.critical and e.oid.dotted_string not in UNDERSTOOD for e in certificate.extensions
        )
    if name in {"DerTruncated", "DerTagMismatch"} and not list(certificate.extensions):
        return True
    return _not_canonical(certificate.extensions, der)


def _explained_crl(name: str, values: tuple[Any, ...], der: bytes) -> bool:
    crl = x509.load_der_x509_crl(der)
    serials = [entry.serial_number for entry in crl]
    number = _value(crl.extensions, x509.CRLNumber)
    if name == "CrlVersionUnsupported":
        # Version 1 leaves the field out; its list of extensions is then absent as well.
        return der[header(der, header(der, 0)[1])[1] :][:3] != b"\x02\x01\x01"
    if name == "CrlAuthorityKeyIdMissing":
        authority = _value(crl.extensions, x509.AuthorityKeyIdentifier)
        return authority is None or authority.key_identifier in (None, bytes(20))
    if name == "DerIntegerNegative":
        return any(s < 0 for s in serials)
    if name == "DerIntegerTooLarge":
        return any(s >= 2**160 for s in serials) or (
            number is not None and number.crl_number >= 2**64
        )
    if name == "DerTimeInvalid":
        times = [crl.last_update_utc, crl.next_update_utc, *(e.revocation_date_utc for e in crl)]
        return any(time is not None and time.year < 1970 for time in times)
    if name in {"ExtensionCriticalUnknown", "ExtensionDuplicate"}:
        foreign = [e for e in crl.extensions if e.critical]
        return any(e.oid.dotted_string not in UNDERSTOOD_IN_CRL for e in foreign) or any(
            _bent_entry(entry) for entry in crl
        )
    if name in {"DerTruncated", "DerTagMismatch"} and not list(crl.extensions):
        return True
    if any(_bent_entry(entry) for entry in crl):
        return True
    return _not_canonical(crl.extensions, der)


def _bent_entry(entry: x509.RevokedCertificate) -> bool:
    """Whether an entry's extensions are more than a reason: `cryptography` reads them late or never."""
    try:
        extensions = list(entry.extensions)
    except PYTHON_REFUSES:
        return True
    return any(e.oid.dotted_string != REASON_CODE and e.critical for e in extensions)


def _not_canonical(extensions: x509.Extensions, der: bytes) -> bool:
    """Whether a value is not the one encoding of what was read, or of a form that Intel does not use."""
    for extension in extensions:
        value = extension.value
        if isinstance(value, x509.AuthorityKeyIdentifier) and (
            value.key_identifier is None
            or len(value.key_identifier) != 20
            or value.authority_cert_issuer is not None
            or value.authority_cert_serial_number is not None
        ):
            return True
        if isinstance(value, x509.SubjectKeyIdentifier) and len(value.digest) != 20:
            return True
        if isinstance(value, x509.KeyUsage) and value.public_bytes() not in der:
            return True
        if len(extension.oid.dotted_string) > 31:
            return True
    return False


def _strict_signature(bit_string: bytes) -> bool:
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    _, start, stop = header(bit_string, 0)
    if stop != len(bit_string) or bit_string[start : start + 1] != b"\0":
        return False
    try:
        r, s = decode_dss_signature(bit_string[start + 1 : stop])
    except ValueError:
        return False
    return 0 <= r < 2**256 and 0 <= s < 2**256


# --- the comparison ---------------------------------------------------------------------------------


def compare(
    chain: Chain,
    mutants: list[bytes],
    encode: Callable[[bytes], Any],
    *,
    crl: bool,
) -> Counter[str]:
    """Both readers over all mutants; count what came of them."""

    def read(der: bytes) -> CertificateFields | CrlFields | Exception:
        try:
            return python_crl(der) if crl else python_certificate(der)
        except PYTHON_REFUSES as error:
            return error

    seen: Counter[str] = Counter()
    outcomes = chain.outcomes(encode(der) for der in mutants)
    for der, outcome in zip(mutants, outcomes, strict=True):
        with warnings.catch_warnings():
            # Serial numbers below one and other things that are still read, to be refused one day.
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            warnings.simplefilter("ignore", UserWarning)
            in_python = read(der)
            if isinstance(in_python, Exception) and not isinstance(outcome, Reverted):
                plain = read(without_opaque(der, crl=crl))
                if isinstance(plain, Exception):
                    raise AssertionError(f"only the chain accepts, {in_python!r}: {der.hex()}")
                in_python = plain
                seen["taken as it is"] += 1
            if isinstance(outcome, Reverted):
                assert outcome.name, f"a refusal without an error: {der.hex()}"
                assert not outcome.name.startswith("0x"), f"unknown error {outcome}: {der.hex()}"
                if isinstance(in_python, Exception):
                    seen["both refuse"] += 1
                    continue
                explained = explained_refusal(outcome, der, crl=crl)
                assert explained, f"only the chain refuses, {outcome}: {der.hex()}"
                seen[f"the chain is stricter: {outcome.name}"] += 1
                continue
        assert not isinstance(in_python, Exception)
        if isinstance(in_python, CrlFields):
            assert chain_crl(outcome) == in_python, der.hex()
        else:
            assert chain_certificate(outcome, der, in_python.key) == in_python, der.hex()
        seen["both accept"] += 1
    return seen


def mutants_of(originals: list[bytes], count: int, seed: int) -> list[bytes]:
    chance = random.Random(seed)
    return [mutate(chance.choice(originals), chance) for _ in range(count)]


def certificates() -> list[bytes]:
    pki = development_pki()
    found = [pki.root.der, pki.platform_ca.der, pki.tcb_signer.der, pki.issue_pck().der]
    found.append(pki.issue_pck(issuer=pki.processor_ca).der)
    try:
        folder = attestation_fixture("intel-collateral/roots/Intel_SGX_Root_CA.der").parent
    except pytest.skip.Exception:
        return found
    for path in sorted(folder.glob("Intel_SGX_*.der")):
        der = path.read_bytes()
        key = x509.load_der_x509_certificate(der).public_key()
        if isinstance(key, ec.EllipticCurvePublicKey):
            found.append(der)
    return found


def crls() -> list[bytes]:
    pki = development_pki()
    times = {"this_update": 1_760_000_000, "next_update": 1_762_000_000}
    return [
        pki.crl(pki.root, **times),
        pki.crl(pki.platform_ca, revoked=[5, 2**158 + 1, 0x80], number=300, **times),
        pki.crl(pki.processor_ca, revoked=[2**158 + 2], **times),
    ]


DOSES = [
    pytest.param(1_500, id="some"),
    pytest.param(100_000, id="many", marks=[pytest.mark.proof, pytest.mark.timeout(3600)]),
]


def chosen_seed(count: int) -> int:
    """Fixed for the small dose, so that a failure comes again; `XMTP_TEE_SEED` fixes the large one."""
    return 1 if count < 10_000 else int(os.environ.get("XMTP_TEE_SEED", random.randrange(2**32)))


@pytest.mark.parametrize("count", DOSES)
def test_certificates_are_read_alike_on_chain_and_off(
    chain: Chain, reader: Contract, count: int
) -> None:
    seed = chosen_seed(count)
    print(f"seed {seed}")
    seen: Counter[str] = Counter()
    for part in range(0, count, 2000):
        mutants = mutants_of(certificates(), min(2000, count - part), seed + part)
        seen += compare(chain, mutants, reader.functions.readCertificate, crl=False)
    # The dose reached every outcome: a comparison of refusals alone would say little.
    print(seen)
    assert seen["both accept"] > count // 100, seen
    assert seen["both refuse"] > count // 4, seen
    assert seen["taken as it is"] > 0, seen


@pytest.mark.parametrize("count", DOSES)
def test_crls_are_read_alike_on_chain_and_off(chain: Chain, reader: Contract, count: int) -> None:
    seed = chosen_seed(count)
    print(f"seed {seed}")
    seen: Counter[str] = Counter()
    for part in range(0, count, 2000):
        mutants = mutants_of(crls(), min(2000, count - part), seed + part)
        seen += compare(chain, mutants, reader.functions.readCrl, crl=True)
    print(seen)
    assert seen["both accept"] > count // 100, seen
    assert seen["both refuse"] > count // 4, seen


def test_forged_certificates_of_the_vectors_are_read_alike(chain: Chain, reader: Contract) -> None:
    """The hand-made ones, each of which breaks one rule; the reader judges form, not signatures."""
    vectors = json.loads((ROOT / "tests" / "vectors" / "certificates.json").read_text())["der"]
    found = {name: bytes.fromhex(der.removeprefix("0x")) for name, der in vectors.items()}
    lists = [der for name, der in found.items() if "crl" in name.split("_")]
    rest = [der for name, der in found.items() if "crl" not in name.split("_")]
    assert len(rest) > 30
    assert len(lists) > 5
    certificates_seen = compare(chain, rest, reader.functions.readCertificate, crl=False)
    lists_seen = compare(chain, lists, reader.functions.readCrl, crl=True)
    assert certificates_seen["both accept"] > 20
    assert lists_seen["both accept"] > 5
