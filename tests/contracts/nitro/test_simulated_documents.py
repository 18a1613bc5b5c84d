"""NitroVerifier under a development root: everything that a holder of the keys could put into a document or a chain.

Every signature here is right, so that only the rule that is tested refuses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.contracts.crypto import p384_support
from tests.contracts.nitro import nitro_support as nitro
from tests.support.chain import Anvil, Chain, Reverted
from xmtp_tee.attestation.nitro.evidence import certificate_ids, nitro_evidence
from xmtp_tee.attestation.p384.curve import Point
from xmtp_tee.attestation.p384.witness import NoWitnessError, make_witness
from xmtp_tee.attestation.simulator import der
from xmtp_tee.attestation.simulator.certificate import Extension
from xmtp_tee.attestation.simulator.nitro import (
    CertificateShape as Shape,
)
from xmtp_tee.attestation.simulator.nitro import (
    DevelopmentNitroPki,
    DocumentRecipe,
    NitroLevel,
    development_nitro_pki,
    development_nitro_root,
)

NOW = 1_780_000_000 - 1_780_000_000 % nitro.DAY + 1_800
"""Half an hour into a day, so that all of the chain but the root is renewed at known times."""
GRACE = 7 * nitro.DAY
REGIONAL, ZONAL, INSTANCE, ENCLAVE = (
    NitroLevel.REGIONAL,
    NitroLevel.ZONAL,
    NitroLevel.INSTANCE,
    NitroLevel.ENCLAVE,
)
WRONG_SIGNATURE = {"LineRefused", "SumNotZero", "ScalarsWrong", "NoncePointWrong"}


@dataclass
class World:
    chain: Chain
    verifier: Any

    def verify(self, evidence: bytes) -> Any:
        return self.verifier.functions.verify(evidence)

    def refusal(self, call: Any) -> Reverted:
        with pytest.raises(Reverted) as refused:
            self.chain.call(call)
        return refused.value


@pytest.fixture(scope="module")
def fresh() -> Iterator[World]:
    with Anvil(timestamp=NOW) as anvil:
        chain = Chain(anvil)
        yield World(chain, nitro.deploy(chain, development_nitro_root(), GRACE))


@pytest.fixture
def world(fresh: World) -> Iterator[World]:
    before = fresh.chain.snapshot()
    yield fresh
    fresh.chain.revert_to(before)


@pytest.fixture(scope="module")
def document() -> bytes:
    return DocumentRecipe(user_data=bytes(range(64))).build(NOW)


@pytest.fixture(scope="module")
def whole(document: bytes) -> bytes:
    return nitro.evidence_of(document)


@pytest.fixture
def known(world: World, whole: bytes) -> World:
    world.chain.send(world.verify(whole))
    return world


def cold(recipe: DocumentRecipe, *, signatures_until: NitroLevel | None = None) -> bytes:
    """Evidence whose chain has witnesses down to a level, and empty ones below it."""
    document = recipe.build(NOW)
    chain = nitro.chain_of(document)
    witnesses = []
    levels = list(NitroLevel)
    for level, child, parent in zip(levels[1:], chain[1:], chain, strict=False):
        past = signatures_until is not None and levels.index(level) > levels.index(signatures_until)
        witnesses.append(b"" if past else nitro.certificate_witness(child, parent))
    return nitro.evidence(document, b"", witnesses)


# --- acceptance -----------------------------------------------------------------------------------


def test_development_root_says_so(world: World) -> None:
    assert world.chain.call(world.verifier.functions.developmentRoot()) is True


def test_evidence_of_the_encoder_is_accepted_at_every_stage(
    world: World, document: bytes, whole: bytes
) -> None:
    ids = certificate_ids(document)
    assert nitro_evidence(document) == b"\x03" + whole
    for evidence in (whole, nitro_evidence(document, 0)[1:]):
        tee, workload, platform, head, tail, judgement = world.chain.call(world.verify(evidence))
        assert (tee, platform, head + tail) == (3, ids[-1], bytes(range(64)))
        assert workload == nitro.workload(document)
        assert judgement == (1, bytes(32), nitro.instance(document), bytes(16))
        receipt = world.chain.send(world.verify(evidence))
        print(receipt["gasUsed"])
    # Another enclave of the same instance: only its own certificate is new.
    other = DocumentRecipe(module_id="i-0de7e109e00000001-enc0de7e109e0000002").build(NOW)
    shared = sum(a == b for a, b in zip(ids, certificate_ids(other), strict=True))
    evidence = nitro_evidence(other, len(ids) - shared)[1:]
    receipt = world.chain.send(world.verify(evidence))
    print("new leaf", shared, receipt["gasUsed"])


def test_payload_of_definite_and_of_indefinite_length_is_accepted(known: World) -> None:
    for indefinite in (False, True):
        document = DocumentRecipe(indefinite=indefinite).build(NOW)
        known.chain.call(known.verify(nitro.evidence_of(document, 0)))


def test_signed_image_is_another_workload(known: World) -> None:
    pcrs = nitro.fields_of(DocumentRecipe().build(NOW))["pcrs"]
    seen = set()
    for index in (None, 0, 1, 2, 8):
        changed = dict(pcrs)
        if index is not None:
            changed[index] = b"\x01" * 48
        document = DocumentRecipe(pcrs=changed).build(NOW)
        answer = known.chain.call(known.verify(nitro.evidence_of(document, 0)))
        assert answer[1] == nitro.workload(document)
        seen.add(answer[1])
    assert len(seen) == 5
    for index in (3, 4, 15):
        document = DocumentRecipe(pcrs=pcrs | {index: b"\x01" * 48}).build(NOW)
        answer = known.chain.call(known.verify(nitro.evidence_of(document, 0)))
        assert answer[1] in seen


def test_nulls_and_absent_optional_fields_are_accepted(known: World) -> None:
    def without(*names: str) -> Any:
        return lambda fields: {k: v for k, v in fields.items() if k not in names}

    for change in (None, without("nonce"), without("public_key"), without("nonce", "public_key")):
        document = DocumentRecipe(change=change).build(NOW)
        known.chain.call(known.verify(nitro.evidence_of(document, 0)))
    document = DocumentRecipe(nonce=bytes(512), public_key=bytes(1024)).build(NOW)
    known.chain.call(known.verify(nitro.evidence_of(document, 0)))


def test_fields_in_another_order_are_accepted(known: World) -> None:
    document = DocumentRecipe(change=lambda f: dict(reversed(list(f.items())))).build(NOW)
    answer = known.chain.call(known.verify(nitro.evidence_of(document, 0)))
    assert answer[1] == nitro.workload(document)


def test_document_signed_by_another_key_has_no_witness(known: World) -> None:
    stranger = development_nitro_pki().key("stranger")
    document = DocumentRecipe(signer=stranger).build(NOW)
    r, s = (int.from_bytes(part, "big") for part in (document[-96:-48], document[-48:]))
    numbers = stranger.public_key().public_numbers()
    signed = nitro.digest(nitro.SIGNED_HEAD + document[7:-98])
    witness = make_witness(signed, r, s, Point(numbers.x, numbers.y))
    evidence = nitro.evidence(document, witness)
    assert known.refusal(known.verify(evidence)).name in WRONG_SIGNATURE


# --- chains ---------------------------------------------------------------------------------------


def p256_key_info() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def other_name() -> bytes:
    return der.name((der.COMMON_NAME, "somebody.else"))


SIGNS_CERTIFICATES, SIGNS_DOCUMENTS = (b"\x04", 2), (b"\xc0", 6)
CONSTRAINTS, KEY_USAGE, ISSUER_KEY = "2.5.29.19", "2.5.29.15", "2.5.29.35"
CRITICAL = Extension("1.2.3.4", True, b"")
HARMLESS = Extension("1.2.3.4", False, b"")
CA_AGAIN = Extension(CONSTRAINTS, True, bytes.fromhex("30030101ff"))
OTHER_KEY = Extension(ISSUER_KEY, False, der.sequence(der.tlv(0x80, b"\x01" * 20)))
ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
OTHER_MODULE = der.name((der.COMMON_NAME, "i-1-enc1.zz.development"))
NAMELESS = der.name((der.COUNTRY, "ZZ"))
CHAINS: list[tuple[str, NitroLevel, Shape, str]] = [
    (
        "regional CA that is none",
        REGIONAL,
        Shape(is_ca=False, path_length=-1),
        "BasicConstraintsMismatch",
    ),
    (
        "instance CA that is none",
        INSTANCE,
        Shape(is_ca=False, path_length=-1),
        "BasicConstraintsMismatch",
    ),
    ("leaf that is a CA", ENCLAVE, Shape(is_ca=True), "BasicConstraintsMismatch"),
    ("path of the zonal CA ends", ZONAL, Shape(path_length=0), "PathTooLong"),
    ("path of the regional CA ends", REGIONAL, Shape(path_length=0), "PathTooLong"),
    (
        "CA that may not sign certificates",
        ZONAL,
        Shape(key_usage=(b"\x80", 7)),
        "KeyUsageMismatch",
    ),
    (
        "CA without key usage",
        ZONAL,
        Shape(without=frozenset({KEY_USAGE})),
        "KeyUsageMismatch",
    ),
    (
        "leaf that may sign certificates",
        ENCLAVE,
        Shape(key_usage=(b"\x84", 2)),
        "KeyUsageMismatch",
    ),
    (
        "leaf without digitalSignature",
        ENCLAVE,
        Shape(key_usage=(b"\x40", 6)),
        "KeyUsageMismatch",
    ),
    ("another issuer", ZONAL, Shape(issuer_name=other_name()), "IssuerMismatch"),
    (
        "another issuer of the leaf",
        ENCLAVE,
        Shape(issuer_name=other_name()),
        "IssuerMismatch",
    ),
    ("expired regional CA", REGIONAL, Shape(not_after=NOW - 60), "CertificateExpired"),
    ("expired leaf", ENCLAVE, Shape(not_after=NOW - 60), "CertificateExpired"),
    (
        "zonal CA of tomorrow",
        ZONAL,
        Shape(not_before=NOW + nitro.DAY),
        "CertificateNotYetValid",
    ),
    ("version 1", ZONAL, Shape(version=0), "CertificateVersionUnsupported"),
    ("P-256 key", INSTANCE, Shape(key_info=p256_key_info()), "PublicKeyUnsupported"),
    (
        "unknown critical extension",
        ZONAL,
        Shape(extra=(CRITICAL,)),
        "ExtensionCriticalUnknown",
    ),
    (
        "extension twice",
        ZONAL,
        Shape(extra=(HARMLESS, HARMLESS)),
        "ExtensionDuplicate",
    ),
    (
        "constraints twice",
        ZONAL,
        Shape(extra=(CA_AGAIN,)),
        "ExtensionDuplicate",
    ),
    (
        "another algorithm inside",
        ZONAL,
        Shape(inner_algorithm=ECDSA_SHA256),
        "SignatureAlgorithmUnsupported",
    ),
    (
        "issuer's key named wrongly",
        ZONAL,
        Shape(
            without=frozenset({"2.5.29.35"}),
            extra=(Extension("2.5.29.35", False, der.sequence(der.tlv(0x80, b"\x01" * 20))),),
        ),
        "IssuerKeyIdMismatch",
    ),
    (
        "leaf of another module",
        ENCLAVE,
        Shape(subject_name=OTHER_MODULE),
        "ModuleMismatch",
    ),
    (
        "leaf without a name",
        ENCLAVE,
        Shape(subject_name=NAMELESS),
        "CommonNameNotOne",
    ),
]


@pytest.mark.parametrize(
    ("level", "shape", "reason"), [c[1:] for c in CHAINS], ids=[c[0] for c in CHAINS]
)
def test_bad_certificate_is_refused(
    world: World, level: NitroLevel, shape: Shape, reason: str
) -> None:
    try:
        evidence = cold(DocumentRecipe(shapes={level: shape}))
    except (NoWitnessError, ValueError):
        # The key of the certificate is none of P-384: no witness below it can be made.
        evidence = cold(DocumentRecipe(shapes={level: shape}), signatures_until=level)
    assert world.refusal(world.verify(evidence)).name == reason


@pytest.mark.parametrize("level", [REGIONAL, ZONAL, INSTANCE, ENCLAVE])
def test_certificate_signed_by_another_key_is_refused(world: World, level: NitroLevel) -> None:
    stranger = development_nitro_pki().key("stranger")
    document = DocumentRecipe(shapes={level: Shape(signing_key=stranger)}).build(NOW)
    chain = nitro.chain_of(document)
    number = list(NitroLevel).index(level)
    witnesses = nitro.chain_witnesses(chain[:number])
    numbers = stranger.public_key().public_numbers()
    forged = make_witness(
        nitro.digest(nitro.tbs(chain[number])),
        *nitro.signature(chain[number]),
        Point(numbers.x, numbers.y),
    )
    below = [b""] * (4 - number)
    evidence = nitro.evidence(document, b"", [*witnesses, forged, *below])
    assert world.refusal(world.verify(evidence)).name in WRONG_SIGNATURE


def test_chain_under_another_root_is_refused(world: World) -> None:
    other = DevelopmentNitroPki(b"another seed of thirty-two bytes")
    document = DocumentRecipe().build(NOW, other)
    refusal = world.refusal(world.verify(nitro.evidence_of(document)))
    assert (refusal.name, refusal.arguments) == (
        "CertificateUnknown",
        (certificate_ids(document)[0],),
    )


def test_chain_without_its_root_counts_once_it_is_known(known: World, document: bytes) -> None:
    # What is remembered leads to the root: what stands above it in the document decides nothing.
    chain = nitro.chain_of(document)
    shorter = DocumentRecipe(bundle=tuple(chain[3:-1])).build(NOW)
    evidence = nitro.evidence(shorter, nitro.document_witness(shorter))
    known.chain.call(known.verify(evidence))


def test_sibling_of_a_known_certificate_is_not_known(known: World) -> None:
    # The same names and serial numbers, another key: the signed part decides.
    shape = Shape(not_after=NOW + 3 * 3600 + 7)
    document = DocumentRecipe(shapes={ENCLAVE: shape}).build(NOW)
    refusal = known.refusal(known.verify(nitro.evidence_of(document, 0)))
    assert refusal.name == "CertificateUnknown"
    refusal = known.refusal(known.verify(nitro.evidence_of(document, 1)))
    assert refusal.name == "SerialTaken"


def test_twin_of_the_leafs_signature_is_the_same_certificate(known: World, document: bytes) -> None:
    leaf = nitro.chain_of(document)[-1]
    r, s = nitro.signature(leaf)
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973
    signature = der.bit_string(der.sequence(der.integer(r), der.integer(order - s)))
    twin = der.sequence(nitro.tbs(leaf), bytes.fromhex("300a06082a8648ce3d040303"), signature)
    assert twin != leaf
    changed = DocumentRecipe(certificate=twin).build(NOW)
    answer = known.chain.call(known.verify(nitro.evidence_of(changed, 0)))
    assert answer[2] == certificate_ids(document)[-1]


def test_times_in_milliseconds_are_bounded_on_both_sides(known: World) -> None:
    leaf = x509.load_der_x509_certificate(nitro.chain_of(DocumentRecipe().build(NOW))[-1])
    earliest = int(leaf.not_valid_before_utc.timestamp()) * 1000
    latest = (known.chain.now + 300) * 1000
    for timestamp, accepted in (
        (earliest, True),
        (earliest - 1, False),
        (latest, True),
        (latest + 60_000, False),
        (NOW, False),
    ):
        document = DocumentRecipe(timestamp_ms=timestamp).build(NOW)
        call = known.verify(nitro.evidence_of(document, 0))
        if accepted:
            known.chain.call(call)
        else:
            assert known.refusal(call).name == "TimestampOutOfRange"


# --- revocation -----------------------------------------------------------------------------------


def crl(
    issuer: bytes,
    key: ec.EllipticCurvePrivateKey,
    serials: list[int],
    *,
    issued: int = NOW - 60,
    name: bytes | None = None,
) -> bytes:
    return nitro.crl(issuer, key, serials, issued=issued, name=name)


def submit(
    world: World, revocations: bytes, issuer: bytes, *, first: int = 0, count: int = 1000
) -> Any:
    try:
        witness = nitro.crl_witness(revocations, issuer)
    except NoWitnessError:
        witness = bytes(1000)
    return world.verifier.functions.submitCrl(revocations, issuer, witness, first, count)


def serial_of(certificate: bytes) -> int:
    return x509.load_der_x509_certificate(certificate).serial_number


@pytest.mark.parametrize("number", [1, 2, 3])
def test_revoked_ca_ends_everything_below_it(known: World, document: bytes, number: int) -> None:
    chain = nitro.chain_of(document)
    issuers = development_nitro_pki().chain(NOW)
    functions = known.verifier.functions
    serial = serial_of(chain[number])
    revocations = crl(chain[number - 1], issuers[number - 1].key, [7, serial])
    leaf = certificate_ids(document)[-1]
    known.chain.call(functions.judgePlatform(leaf))
    receipt = known.chain.send(submit(known, revocations, chain[number - 1]))
    print(receipt["gasUsed"])
    issuer = nitro.revocation_issuer(chain[number])
    assert known.chain.call(functions.isRevoked(issuer, serial)) is True
    assert known.chain.call(functions.isRevoked(issuer, 7)) is True
    assert known.chain.call(functions.isRevoked(issuer, 8)) is False
    for call in (
        functions.judgePlatform(leaf),
        known.verify(nitro.evidence_of(document, 0)),
        known.verify(nitro.evidence_of(document)),
    ):
        refusal = known.refusal(call)
        assert refusal.name == "CertificateRevoked"
        assert refusal.arguments == (certificate_ids(document)[number],)
    # Bringing the list again is no use and no harm.
    assert known.chain.send(submit(known, revocations, chain[number - 1]))["logs"] == []


def test_certificate_that_was_revoked_before_it_came_is_refused(
    world: World, document: bytes, whole: bytes
) -> None:
    chain = nitro.chain_of(document)
    root = development_nitro_pki().chain(NOW)[0]
    world.chain.send(submit(world, crl(chain[0], root.key, [serial_of(chain[1])]), chain[0]))
    assert world.refusal(world.verify(whole)).name == "CertificateRevoked"


def test_list_is_brought_in_parts(known: World, document: bytes) -> None:
    chain = nitro.chain_of(document)
    root = development_nitro_pki().chain(NOW)[0]
    functions, issuer = known.verifier.functions, nitro.revocation_issuer(chain[1])
    revocations = crl(chain[0], root.key, [11, 12, 13])
    for first, count, expected in (
        (1, 1, {12}),
        (2, 5, {12, 13}),
        (9, 9, {12, 13}),
        (0, 1, {11, 12, 13}),
    ):
        known.chain.send(submit(known, revocations, chain[0], first=first, count=count))
        found = {s for s in (11, 12, 13) if known.chain.call(functions.isRevoked(issuer, s))}
        assert found == expected
    everything = submit(known, crl(chain[0], root.key, [14]), chain[0], first=0, count=2**256 - 1)
    known.chain.send(everything)


def test_lists_that_prove_nothing_are_refused(known: World, document: bytes) -> None:
    chain = nitro.chain_of(document)
    keys = [certified.key for certified in development_nitro_pki().chain(NOW)]
    stranger = development_nitro_pki().key("stranger")
    regional = x509.load_der_x509_certificate(chain[1]).subject.public_bytes()
    other = nitro.chain_of(DocumentRecipe().build(NOW, DevelopmentNitroPki(b"other" * 8)))
    for issuer, revocations, reasons in (
        (chain[0], crl(chain[0], stranger, [1]), WRONG_SIGNATURE | {"WitnessLengthWrong"}),
        (chain[0], crl(chain[0], keys[0], [1], name=regional), {"IssuerMismatch"}),
        (chain[0], crl(chain[0], keys[0], [1], issued=NOW + nitro.DAY), {"CrlNotYetValid"}),
        (chain[3], crl(chain[3], keys[3], [1]), {"CrlSignMissing"}),
        (other[0], crl(other[0], keys[0], [1]), {"CertificateUnknown"}),
        (chain[0], crl(chain[0], keys[0], [1])[:-1], {"DerTruncated"}),
    ):
        refusal = known.refusal(
            known.verifier.functions.submitCrl(revocations, issuer, bytes(1000), 0, 1)
            if len(revocations) < 100 or "DerTruncated" in reasons
            else submit(known, revocations, issuer)
        )
        assert refusal.name in reasons


def test_leaf_signs_no_list(known: World, document: bytes) -> None:
    chain = nitro.chain_of(document)
    key = development_nitro_pki().chain(NOW)[0].key
    call = known.verifier.functions.submitCrl(crl(chain[0], key, [1]), chain[-1], bytes(1000), 0, 1)
    assert known.refusal(call).name == "CertificateRoleMismatch"


# --- construction ---------------------------------------------------------------------------------


def test_construction_refuses_what_would_never_be_safe(world: World) -> None:
    functions = world.verifier.functions
    p384, hasher = world.chain.call(functions.p384()), world.chain.call(functions.sha384())
    pki = development_nitro_pki()
    issue = pki.issue
    level = NitroLevel.ROOT
    root = development_nitro_root()
    stranger = world.chain.accounts[1]
    for arguments, reason in (
        ((stranger, hasher, root, 0), "P384NotAContract"),
        ((p384, stranger, root, 0), "Sha384Failed"),
        ((p384, p384, root, 0), "Sha384Failed"),
        ((p384, hasher, root, 30 * nitro.DAY + 1), "GraceTooLong"),
        ((p384, hasher, pki.chain(NOW)[1].der, 0), "RootNotSelfIssued"),
        (
            (p384, hasher, issue(level, None, NOW, shape=Shape(is_ca=False)).der, 0),
            "BasicConstraintsMismatch",
        ),
        (
            (
                p384,
                hasher,
                issue(level, None, NOW, shape=Shape(not_after=NOW - 1)).der,
                0,
            ),
            "CertificateExpired",
        ),
        ((p384, hasher, root + b"\x00", 0), "DerTrailingBytes"),
    ):
        with pytest.raises(Reverted) as refusal:
            world.chain.deploy("NitroVerifier", *arguments)
        assert refusal.value.name == reason
    assert p384_support.curve.is_on_curve(nitro.point(root))
