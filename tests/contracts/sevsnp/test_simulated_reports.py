"""SevSnpVerifier under development roots: all that a holder of the keys could put into a report or certificate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.contracts.sevsnp import snp_support as snp
from tests.support.chain import Anvil, Chain, Reverted
from xmtp_tee.attestation.sevsnp import evidence as encoder
from xmtp_tee.attestation.sevsnp.product import ProductLine, Tcb
from xmtp_tee.attestation.sevsnp.report import SigningKey
from xmtp_tee.attestation.sevsnp.workload import instance_of, snp_workload_id
from xmtp_tee.attestation.simulator import der
from xmtp_tee.attestation.simulator.certificate import Extension
from xmtp_tee.attestation.simulator.sevsnp.pki import (
    AuthorityShape,
    DevelopmentSnpPki,
    EndorsementRecipe,
    development_anchors,
    development_snp_pki,
)
from xmtp_tee.attestation.simulator.sevsnp.report import SnpReportRecipe

NOW = 1_780_000_000
MILAN_TCB = Tcb(boot_loader=4, tee=0, snp=24, microcode=219)
TURIN_TCB = Tcb(fmc=1, boot_loader=2, tee=3, snp=4, microcode=75)
AMD = "1.3.6.1.4.1.3704.1"
POLICY = 1 << 16 | 1 << 17


def number(tcb: Tcb, product: ProductLine) -> int:
    return int.from_bytes(tcb.encode(product), "little")


def certificates(pki: DevelopmentSnpPki) -> snp.Chain3:
    return snp.Chain3(
        pki.ark().der,
        pki.intermediate(SigningKey.VCEK).der,
        pki.intermediate(SigningKey.VLEK).der,
    )


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
        pkis = [development_snp_pki(product) for product in ProductLine]
        verifier = snp.deploy(chain, [snp.root(p.product, 1, certificates(p)) for p in pkis])
        for pki in pkis:
            snp.submit(chain, verifier, pki.product, certificates(pki))
        yield World(chain, verifier)


@pytest.fixture
def world(fresh: World) -> Iterator[World]:
    before = fresh.chain.snapshot()
    yield fresh
    fresh.chain.revert_to(before)


def cold(recipe: SnpReportRecipe, *, witness: bool = False, vlek: bool | None = None) -> bytes:
    """Evidence for a Milan report, with its certificate; an empty witness unless it comes to that."""
    pki = development_snp_pki()
    extended = recipe.build(pki)
    endorsed = pki.endorsement(recipe.endorsed)
    certificate = recipe.endorsement or endorsed.der
    report = extended[: snp.REPORT]
    proof = snp.witness(report, certificate) if witness else b""
    if vlek is None:
        vlek = recipe.endorsed.signing_key is SigningKey.VLEK
    return snp.cold_evidence(report, certificate, proof, vlek=vlek)


# --- acceptance -----------------------------------------------------------------------------------


def test_development_roots_say_so(world: World) -> None:
    assert world.chain.call(world.verifier.functions.developmentRoot()) is True


@pytest.mark.parametrize("product", list(ProductLine))
@pytest.mark.parametrize("kind", list(SigningKey))
def test_every_product_is_accepted_under_either_kind_of_key(
    world: World, product: ProductLine, kind: SigningKey
) -> None:
    tcb = TURIN_TCB if product is ProductLine.TURIN else MILAN_TCB
    recipe = SnpReportRecipe(
        report_data=bytes(range(64)),
        version=5 if product is ProductLine.TURIN else 2,
        vmpl=3,
        endorsed=EndorsementRecipe(signing_key=kind, tcb=tcb),
    )
    extended = recipe.build(development_snp_pki(product))
    report = extended[: snp.REPORT]
    brought = encoder.new_key_evidence(extended, development_anchors())[1:]
    known = encoder.known_key_evidence(extended, development_anchors())[1:]
    for evidence in (brought, known):
        answer = world.chain.call(world.verify(evidence))
        assert answer[0] == 4
        assert answer[1] == snp_workload_id(report)
        assert answer[2] == encoder.platform_handle(extended, development_anchors())
        assert answer[3] + answer[4] == bytes(range(64))
        instance = instance_of(report[0x1A0:0x1E0])
        assert answer[5] == (1, bytes(32), instance, product.family)
        world.chain.send(world.verify(brought))
    recorded = world.chain.call(world.verifier.functions.platform(answer[2]))
    assert recorded[:3] == (product, kind is SigningKey.VLEK, number(tcb, product))


def test_a_tcb_below_the_floor_is_named_with_its_product(world: World) -> None:
    """Milan and Genoa write the same versions alike; an exception for the one must be none for the other."""
    pkis = [development_snp_pki(product) for product in (ProductLine.MILAN, ProductLine.GENOA)]
    floor = 255 << 56
    verifier = snp.deploy(
        world.chain, [snp.root(pki.product, floor, certificates(pki)) for pki in pkis]
    )
    recipe = SnpReportRecipe(version=2, endorsed=EndorsementRecipe(tcb=MILAN_TCB))
    for pki in pkis:
        snp.submit(world.chain, verifier, pki.product, certificates(pki))
        evidence = encoder.new_key_evidence(recipe.build(pki), development_anchors())[1:]
        status, advisories = world.chain.call(verifier.functions.verify(evidence))[5][:2]
        tcb = number(MILAN_TCB, pki.product).to_bytes(8, "big")
        assert (status, advisories) == (5, bytes(23) + bytes([pki.product]) + tcb)


def test_report_of_version_4_is_accepted(world: World) -> None:
    world.chain.call(world.verify(cold(SnpReportRecipe(version=4), witness=True)))


def test_each_part_of_the_workload_changes_it(world: World) -> None:
    recipes = [
        SnpReportRecipe(),
        SnpReportRecipe(guest_svn=1),
        SnpReportRecipe(policy=POLICY | 1 << 20),
        SnpReportRecipe(family_id=b"\x01" * 16),
        SnpReportRecipe(image_id=b"\x01" * 16),
        SnpReportRecipe(vmpl=1),
        SnpReportRecipe(measurement=b"\x01" * 48),
        SnpReportRecipe(host_data=b"\x01" * 32),
        SnpReportRecipe(id_key_digest=b"\x01" * 48),
        SnpReportRecipe(author_key_digest=b"\x01" * 48, flags=1),
    ]
    seen = {world.chain.call(world.verify(cold(r, witness=True)))[1] for r in recipes}
    assert len(seen) == len(recipes)


# --- reports --------------------------------------------------------------------------------------

REPORTS: list[tuple[str, SnpReportRecipe, str]] = [
    ("debug", SnpReportRecipe(policy=POLICY | 1 << 19), "DebugEnclave"),
    ("migration agent", SnpReportRecipe(policy=POLICY | 1 << 18), "GuestPolicyRefused"),
    ("bit 17 clear", SnpReportRecipe(policy=1 << 16), "GuestPolicyRefused"),
    ("unknown policy bit", SnpReportRecipe(policy=POLICY | 1 << 26), "GuestPolicyRefused"),
    ("highest policy bit", SnpReportRecipe(policy=POLICY | 1 << 63), "GuestPolicyRefused"),
    ("VMPL 4", SnpReportRecipe(vmpl=4), "VmplUnsupported"),
    ("asked for by the host", SnpReportRecipe(vmpl=0xFFFFFFFF), "VmplUnsupported"),
    ("version 1", SnpReportRecipe(version=1), "ReportVersionUnsupported"),
    ("version 6", SnpReportRecipe(version=6), "ReportVersionUnsupported"),
    ("version 2 and a high bit", SnpReportRecipe(version=2 | 1 << 31), "ReportVersionUnsupported"),
    ("another algorithm", SnpReportRecipe(signature_algorithm=2), "SignatureAlgorithmNotEcdsaP384"),
    ("no algorithm", SnpReportRecipe(signature_algorithm=0), "SignatureAlgorithmNotEcdsaP384"),
    ("masked chip key", SnpReportRecipe(flags=2), "SigningKeyMismatch"),
    ("says VLEK", SnpReportRecipe(flags=4), "SigningKeyMismatch"),
    ("says no key", SnpReportRecipe(flags=7 << 2), "SigningKeyMismatch"),
    ("reserved flag", SnpReportRecipe(flags=1 << 31), "SigningKeyMismatch"),
    (
        "VLEK says VCEK",
        SnpReportRecipe(flags=0, endorsed=EndorsementRecipe(signing_key=SigningKey.VLEK)),
        "SigningKeyMismatch",
    ),
    (
        "another TCB",
        SnpReportRecipe(tcb=bytes([4, 0, 0, 0, 0, 0, 24, 220])),
        "CertificateTcbMismatch",
    ),
    (
        "lower TCB",
        SnpReportRecipe(tcb=bytes([4, 0, 0, 0, 0, 0, 24, 218])),
        "CertificateTcbMismatch",
    ),
    ("reserved TCB", SnpReportRecipe(tcb=bytes([4, 0, 1, 0, 0, 0, 24, 219])), "TcbReservedSet"),
    ("another chip", SnpReportRecipe(chip_id=b"\x07" * 64), "CertificateChipMismatch"),
    ("masked chip", SnpReportRecipe(chip_id=bytes(64)), "CertificateChipMismatch"),
    *(
        (f"reserved byte {at:#x}", SnpReportRecipe(patches=((at, b"\x01"),)), "ReportReservedSet")
        for at in (0x4C, 0x4F, 0x18B, 0x19F, 0x1EB, 0x1EF, 0x1F8, 0x207, 0x208, 0x21F, 0x220, 0x29F)
    ),
    (
        "CPUID in version 2",
        SnpReportRecipe(version=2, patches=((0x188, b"\x19"),)),
        "ReportReservedSet",
    ),
    ("Genoa's processor", SnpReportRecipe(cpu=(0x19, 0x11, 1)), "ProcessorMismatch"),
    ("Turin's processor", SnpReportRecipe(cpu=(0x1A, 0x02, 1)), "ProcessorMismatch"),
    ("the first model past Milan's", SnpReportRecipe(cpu=(0x19, 0x10, 0)), "ProcessorMismatch"),
    ("no processor in version 5", SnpReportRecipe(version=5, cpu=(0, 0, 0)), "ProcessorMismatch"),
    (
        "behind version 5's last field",
        SnpReportRecipe(version=5, patches=((0x208, b"\x01"),)),
        "ReportReservedSet",
    ),
]


@pytest.mark.parametrize(
    ("recipe", "reason"), [r[1:] for r in REPORTS], ids=[r[0] for r in REPORTS]
)
def test_bad_report_is_refused(world: World, recipe: SnpReportRecipe, reason: str) -> None:
    assert world.refusal(world.verify(cold(recipe))).name == reason


@pytest.mark.parametrize("product", list(ProductLine))
def test_processors_of_a_product_are_those_that_python_says(
    world: World, product: ProductLine
) -> None:
    tcb = TURIN_TCB if product is ProductLine.TURIN else MILAN_TCB
    pki = development_snp_pki(product)
    signer = pki.endorsement(EndorsementRecipe(tcb=tcb)).key
    edges = (0x00, 0x0F, 0x10, 0x11, 0x12, 0x1F, 0x20, 0x9F, 0xA0, 0xAF, 0xB0, 0xFF)
    for family, model in [(f, m) for f in (0x18, 0x19, 0x1A) for m in edges]:
        recipe = SnpReportRecipe(cpu=(family, model, 0), endorsed=EndorsementRecipe(tcb=tcb))
        report = recipe.build_report(pki, signer)
        certificate = pki.endorsement(recipe.endorsed).der
        evidence = snp.cold_evidence(report, certificate, b"", product=product, vlek=False)
        # The witness is empty, so what passes here fails there.
        refused = world.refusal(world.verify(evidence)).name == "ProcessorMismatch"
        assert refused is not product.has_cpu(family, model), (family, model)


def test_mitigation_vectors_of_version_5_are_no_reserved_bytes(world: World) -> None:
    recipe = SnpReportRecipe(version=5, patches=((0x1F8, b"\xff" * 16),))
    world.chain.call(world.verify(cold(recipe, witness=True)))


def test_report_signed_by_another_key_has_no_witness(world: World) -> None:
    pki = development_snp_pki()
    stranger = pki.p384("stranger")
    recipe = SnpReportRecipe(signer=stranger)
    extended = recipe.build(pki)
    report, endorsed = extended[: snp.REPORT], pki.endorsement(recipe.endorsed)
    # The best that an attacker has: the witness under his own key, offered for the endorsed one.
    numbers = stranger.public_key().public_numbers()
    proof = snp.make_witness(*snp.report_signature(report), snp.Point(numbers.x, numbers.y))
    evidence = snp.cold_evidence(report, endorsed.der, proof, vlek=False)
    assert world.refusal(world.verify(evidence)).name in {"LineRefused", "SumNotZero"}


def test_known_platform_does_not_vouch_for_another_key_tcb_or_chip(world: World) -> None:
    recipe = SnpReportRecipe()
    world.chain.send(world.verify(cold(recipe, witness=True)))
    pki = development_snp_pki()
    stranger = pki.endorsement(EndorsementRecipe(key_label="stranger"))
    endorsed = pki.endorsement(recipe.endorsed)
    report = recipe.build(pki)[: snp.REPORT]
    other_chip = replace(recipe, chip_id=b"\x07" * 64).build(pki)[: snp.REPORT]
    other_tcb = replace(recipe, tcb=bytes([4, 0, 0, 0, 0, 0, 24, 220])).build(pki)[: snp.REPORT]
    for body, certificate in (
        (report, stranger.der),
        (other_chip, endorsed.der),
        (other_tcb, endorsed.der),
    ):
        evidence = snp.warm_evidence(body, certificate, b"")
        assert world.refusal(world.verify(evidence)).name == "PlatformUnknown"
    other_product = snp.warm_evidence(report, endorsed.der, b"", product=snp.GENOA)
    assert world.refusal(world.verify(other_product)).name == "PlatformUnknown"


def test_shared_key_on_another_chip_is_a_platform_of_its_own(world: World) -> None:
    vlek = EndorsementRecipe(signing_key=SigningKey.VLEK)
    first = SnpReportRecipe(endorsed=vlek)
    second = replace(first, chip_id=b"\x07" * 64)
    platforms = set()
    for recipe in (first, second):
        answer = world.chain.call(world.verify(cold(recipe, witness=True)))
        world.chain.send(world.verify(cold(recipe, witness=True)))
        platforms.add((answer[2], answer[5][2]))
    assert len(platforms) == 2


# --- endorsement certificates ---------------------------------------------------------------------


def p256_key_info() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def component(n: int, value: int) -> Extension:
    return Extension(f"{AMD}.3.{n}", False, der.integer(value))


CRITICAL = Extension("1.2.3.4", True, b"")
RSA_SHA384 = der.sequence(der.oid("1.2.840.113549.1.1.12"), b"\x05\x00")
WITHOUT_SNP = EndorsementRecipe(without=frozenset({"3.3"}))
WRONG = "EndorsementExtensionsWrong"


def with_snp(value: bytes) -> EndorsementRecipe:
    return replace(WITHOUT_SNP, extra=(Extension(f"{AMD}.3.3", False, value),))


def without(extension: str) -> EndorsementRecipe:
    return EndorsementRecipe(without=frozenset({extension}))


ENDORSEMENTS: list[tuple[str, EndorsementRecipe, str]] = [
    ("expired", EndorsementRecipe(not_after=NOW - 1), "CertificateExpired"),
    ("not yet valid", EndorsementRecipe(not_before=NOW + 600), "CertificateNotYetValid"),
    (
        "another issuer",
        EndorsementRecipe(issuer_name=der.name((der.COMMON_NAME, "SEV-Milan"))),
        "IssuerMismatch",
    ),
    (
        "stranger's signature",
        EndorsementRecipe(signer=development_snp_pki().rsa("stranger-ask")),
        "Pss",
    ),
    ("signed by the ARK", EndorsementRecipe(signer=development_snp_pki().rsa("ark")), "Pss"),
    ("signed by the ASVK", EndorsementRecipe(signer=development_snp_pki().rsa("asvk")), "Pss"),
    ("P-256 key", EndorsementRecipe(key_info=p256_key_info()), "PublicKeyUnsupported"),
    (
        "another algorithm",
        EndorsementRecipe(
            signature_algorithm=der.sequence(der.oid("1.2.840.113549.1.1.12"), b"\x05\x00")
        ),
        "SignatureAlgorithmUnsupported",
    ),
    *(
        (f"without {n}", EndorsementRecipe(without=frozenset({n})), "EndorsementExtensionsWrong")
        for n in ("3.1", "3.2", "3.3", "3.8", "4")
    ),
    ("provider in a VCEK", EndorsementRecipe(provider="CN=x"), "EndorsementExtensionsWrong"),
    ("FMC before Turin", EndorsementRecipe(extra=(component(9, 0),)), "EndorsementExtensionsWrong"),
    ("reserved component", EndorsementRecipe(reserved_component=1), "ComponentNotZero"),
    ("component twice", EndorsementRecipe(extra=(component(3, 255),)), "ExtensionDuplicate"),
    (
        "hardware id twice",
        EndorsementRecipe(extra=(Extension(f"{AMD}.4", False, bytes(64)),)),
        "ExtensionDuplicate",
    ),
    ("hardware id of 8 bytes", EndorsementRecipe(hardware_id=bytes(8)), "HardwareIdLengthWrong"),
    ("hardware id of 65 bytes", EndorsementRecipe(hardware_id=bytes(65)), "HardwareIdLengthWrong"),
    (
        "component of two bytes",
        with_snp(der.integer(256)),
        "DerIntegerTooLarge",
    ),
    (
        "component with a leading zero",
        EndorsementRecipe(
            without=frozenset({"3.3"}), extra=(Extension(f"{AMD}.3.3", False, b"\x02\x02\x00\x18"),)
        ),
        "DerIntegerNotMinimal",
    ),
    (
        "bytes behind a component",
        EndorsementRecipe(
            without=frozenset({"3.3"}), extra=(Extension(f"{AMD}.3.3", False, b"\x02\x01\x18\x00"),)
        ),
        "DerTrailingBytes",
    ),
    ("Genoa's name", EndorsementRecipe(product_name="Genoa-B1"), "ProductNameMismatch"),
    ("a name that only begins so", EndorsementRecipe(product_name="Milano"), "ProductNameMismatch"),
    ("an empty name", EndorsementRecipe(product_name="-B0"), "ProductNameMismatch"),
    ("no name", without("2"), WRONG),
    (
        "unknown critical extension",
        EndorsementRecipe(extra=(Extension("1.2.3.4", True, b""),)),
        "ExtensionCriticalUnknown",
    ),
]


@pytest.mark.parametrize(
    ("endorsed", "reason"), [e[1:] for e in ENDORSEMENTS], ids=[e[0] for e in ENDORSEMENTS]
)
def test_bad_endorsement_certificate_is_refused(
    world: World, endorsed: EndorsementRecipe, reason: str
) -> None:
    assert world.refusal(world.verify(cold(SnpReportRecipe(endorsed=endorsed)))).name.startswith(
        (reason, "RsaSignatureNotBelowModulus") if reason == "Pss" else reason
    )


@pytest.mark.parametrize("name", ["Milan", "Milan-B0", "Milan-"])
def test_name_of_the_product_is_accepted_with_and_without_a_stepping(
    world: World, name: str
) -> None:
    recipe = SnpReportRecipe(endorsed=EndorsementRecipe(product_name=name))
    assert world.refusal(world.verify(cold(recipe))).name == "NoncePointWrong"


def test_algorithm_identifier_without_its_default_is_accepted(world: World) -> None:
    recipe = SnpReportRecipe(endorsed=EndorsementRecipe(with_trailer=False))
    world.chain.call(world.verify(cold(recipe, witness=True)))


def test_unknown_harmless_extension_is_ignored(world: World) -> None:
    extra = (Extension("1.2.3.4", False, b"\x05\x00"),)
    recipe = SnpReportRecipe(endorsed=EndorsementRecipe(extra=extra))
    world.chain.call(world.verify(cold(recipe, witness=True)))


def test_vlek_for_a_vcek_and_the_other_way_round_are_refused(world: World) -> None:
    for kind in SigningKey:
        recipe = SnpReportRecipe(endorsed=EndorsementRecipe(signing_key=kind))
        evidence = cold(recipe, vlek=kind is SigningKey.VCEK)
        refusal = world.refusal(world.verify(evidence)).name
        assert refusal == "EndorsementExtensionsWrong"


def test_renewed_certificate_prolongs_the_platform(world: World) -> None:
    ends = NOW + 1_000
    short = SnpReportRecipe(endorsed=EndorsementRecipe(not_after=ends))
    platform = world.chain.call(world.verify(cold(short, witness=True)))[2]
    functions = world.verifier.functions
    for recipe in (short, SnpReportRecipe(), short):
        world.chain.send(world.verify(cold(recipe, witness=True)))
    assert world.chain.call(functions.platform(platform))[4] > ends
    world.chain.warp(ends + 1)
    world.chain.call(functions.judgePlatform(platform))


# --- signers --------------------------------------------------------------------------------------

STRANGER = development_snp_pki().rsa("stranger-ark")
TWO_NAMES = der.name((der.COMMON_NAME, "SEV-Milan"), (der.COMMON_NAME, "SEV-Milan"))
SIGNERS: list[tuple[str, AuthorityShape, str]] = [
    ("no CA", AuthorityShape(is_ca=False, path_length=-1), "BasicConstraintsMismatch"),
    ("path length 1", AuthorityShape(path_length=1), "PathLengthMismatch"),
    ("no path length", AuthorityShape(path_length=-1), "PathLengthMismatch"),
    ("may not sign certificates", AuthorityShape(key_usage=(b"\x80", 7)), "KeyUsageMismatch"),
    ("expired", AuthorityShape(not_after=NOW - 1), "CertificateExpired"),
    ("not yet valid", AuthorityShape(not_before=NOW + 600), "CertificateNotYetValid"),
    (
        "another issuer",
        AuthorityShape(issuer_name=der.name((der.COMMON_NAME, "ARK-Milan"))),
        "IssuerMismatch",
    ),
    (
        "another name",
        AuthorityShape(subject_name=der.name((der.COMMON_NAME, "SEV-Genoa"))),
        "NameMismatch",
    ),
    (
        "a longer name",
        AuthorityShape(subject_name=der.name((der.COMMON_NAME, "xSEV-Milan"))),
        "NameMismatch",
    ),
    (
        "two names",
        AuthorityShape(
            subject_name=der.name((der.COMMON_NAME, "SEV-Milan"), (der.COMMON_NAME, "SEV-Milan"))
        ),
        "CommonNameNotOne",
    ),
    ("signed by a stranger", AuthorityShape(signer=STRANGER), "Pss"),
    ("a key that is not pinned", AuthorityShape(key_label="stranger-ask"), "PinnedKeyMismatch"),
    ("no later than the one in force", AuthorityShape(), "SignerNotNewer"),
]


@pytest.mark.parametrize(("shape", "reason"), [s[1:] for s in SIGNERS], ids=[s[0] for s in SIGNERS])
def test_bad_signer_is_refused(world: World, shape: AuthorityShape, reason: str) -> None:
    pki = development_snp_pki()
    signer = pki.intermediate(SigningKey.VCEK, shape).der
    call = world.verifier.functions.submitSigner(pki.product, pki.ark().der, signer)
    expected = (reason, "RsaSignatureNotBelowModulus") if reason == "Pss" else reason
    assert world.refusal(call).name.startswith(expected)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (AuthorityShape(key_label="stranger-ark"), "PinnedKeyMismatch"),
        (AuthorityShape(is_ca=False), "BasicConstraintsMismatch"),
        (AuthorityShape(key_usage=(b"\x80", 7)), "KeyUsageMismatch"),
        (AuthorityShape(not_after=NOW - 1), "CertificateExpired"),
        (AuthorityShape(issuer_name=der.name((der.COMMON_NAME, "ARK"))), "IssuerMismatch"),
        (AuthorityShape(signer=STRANGER), "Pss"),
    ],
)
def test_bad_root_is_refused(world: World, shape: AuthorityShape, reason: str) -> None:
    pki = development_snp_pki()
    signer = pki.intermediate(SigningKey.VCEK).der
    call = world.verifier.functions.submitSigner(pki.product, pki.ark(shape).der, signer)
    expected = (reason, "RsaSignatureNotBelowModulus") if reason == "Pss" else reason
    assert world.refusal(call).name.startswith(expected)


def test_signer_of_another_product_is_refused(world: World) -> None:
    milan, genoa = development_snp_pki(), development_snp_pki(ProductLine.GENOA)
    functions = world.verifier.functions
    ask = genoa.intermediate(SigningKey.VCEK).der
    for product in (ProductLine.MILAN, ProductLine.TURIN, 0):
        refusal = world.refusal(functions.submitSigner(product, genoa.ark().der, ask))
        assert refusal.name == "PinnedKeyMismatch"
    refusal = world.refusal(functions.submitSigner(ProductLine.MILAN, milan.ark().der, ask))
    assert refusal.name.startswith(("Pss", "RsaSignatureNotBelowModulus"))


def test_signer_that_was_never_submitted_is_unknown() -> None:
    pki = development_snp_pki()
    with Anvil(timestamp=NOW) as anvil:
        chain = Chain(anvil)
        verifier = snp.deploy(chain, [snp.root(pki.product, 1, certificates(pki))])
        world = World(chain, verifier)
        refusal = world.refusal(world.verify(cold(SnpReportRecipe())))
        assert (refusal.name, refusal.arguments) == ("SignerUnknown", (2,))
        genoa = snp.cold_evidence(bytes(snp.REPORT), b"", b"", product=snp.GENOA, vlek=True)
        refusal = world.refusal(world.verify(genoa))
        assert (refusal.name, refusal.arguments) == ("SignerUnknown", (5,))


# --- construction ---------------------------------------------------------------------------------


def test_construction_refuses_what_would_never_be_safe(world: World) -> None:
    milan, genoa = (
        snp.root(p, 1, certificates(development_snp_pki(p)))
        for p in (ProductLine.MILAN, ProductLine.GENOA)
    )
    nothing = bytes(32)
    amd = bytes.fromhex("95d3e504d122dc9f83af49cea4730c8540b46618affb48930630d6e47309cff5")
    p384 = world.chain.call(world.verifier.functions.p384())
    for arguments, reason in (
        ((p384, snp.ZERO_ADDRESS, []), "ProductsMissing"),
        ((p384, snp.ZERO_ADDRESS, [milan, milan]), "ProductUnexpected"),
        ((p384, snp.ZERO_ADDRESS, [(0, *milan[1:])]), "ProductUnexpected"),
        ((p384, snp.ZERO_ADDRESS, [milan, (2, 0, *genoa[2:])]), "FloorMissing"),
        ((p384, snp.ZERO_ADDRESS, [milan, (2, 1, amd, nothing, nothing)]), "RootsMixed"),
        ((world.chain.accounts[1], snp.ZERO_ADDRESS, [milan]), "P384NotAContract"),
    ):
        with pytest.raises(Reverted) as refusal:
            world.chain.deploy("SevSnpVerifier", *arguments)
        assert refusal.value.name == reason


def test_without_a_keeper_nobody_raises_floors(world: World) -> None:
    call = world.verifier.functions.raiseFloor(snp.MILAN, 2**63)
    assert world.refusal(call).name == "NotFloorKeeper"
