"""Verification of simulated reports: what holds, what is refused and why. Every forgery is an attack by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.attestation.sevsnp.support import (
    ANCHORS,
    ANY_STATUS,
    FLOORS,
    MILAN,
    NOW,
    REPORT,
    VLEK,
    endorsed,
    recipe,
    verify,
)
from tests.attestation.support import BINDING
from xmtp_tee.attestation.errors import (
    CertificateMalformedError,
    CertificateRevokedError,
    DebugEnabledError,
    EvidenceExpiredError,
    FieldError,
    GuestPolicyRefusedError,
    PlatformMismatchError,
    QuoteNotGenuineError,
    SnpReportMalformedError,
    TcbStatusRefusedError,
)
from xmtp_tee.attestation.kinds import TcbStatus, TeeKind
from xmtp_tee.attestation.rsa_pss import RSA_PSS_SHA384
from xmtp_tee.attestation.sevsnp.anchors import AMD_ANCHORS
from xmtp_tee.attestation.sevsnp.certificate_table import parse_evidence
from xmtp_tee.attestation.sevsnp.product import ProductLine, Tcb
from xmtp_tee.attestation.sevsnp.report import SigningKey
from xmtp_tee.attestation.sevsnp.verify import POLICY_DEBUG, POLICY_MIGRATION_AGENT
from xmtp_tee.attestation.sevsnp.workload import SNP_WORKLOAD_TAG, instance_of, snp_workload_id
from xmtp_tee.attestation.simulator import der
from xmtp_tee.attestation.simulator.certificate import Extension
from xmtp_tee.attestation.simulator.sevsnp import development_snp_pki
from xmtp_tee.attestation.simulator.sevsnp.pki import (
    AMD_EXTENSIONS,
    CHIP_ID,
    DEVELOPMENT_TCB,
    PROVIDER,
    AuthorityShape,
    EndorsementRecipe,
)
from xmtp_tee.attestation.simulator.sevsnp.report import POLICY_RESERVED, POLICY_SMT
from xmtp_tee.attestation.x509 import Revoked
from xmtp_tee.hashing import keccak256

STRANGER = MILAN.rsa("stranger-ark")


@pytest.mark.parametrize("product", ProductLine)
@pytest.mark.parametrize("kind", SigningKey)
@pytest.mark.parametrize("version", [2, 3, 4, 5])
def test_every_product_line_kind_of_key_and_version_verifies(
    product: ProductLine, kind: SigningKey, version: int
) -> None:
    built = recipe(version=version, endorsed=EndorsementRecipe(signing_key=kind))
    verified = verify(built, product=product)
    assert verified.tee is TeeKind.SEV_SNP
    assert verified.status is TcbStatus.UP_TO_DATE
    assert verified.product is product
    assert verified.report_data == BINDING.report_data()
    assert verified.tcb == DEVELOPMENT_TCB
    assert verified.development
    assert verified.endorsement.signing_key is kind
    chip_id = CHIP_ID[: product.chip_id_size].ljust(64, b"\0")
    expected = instance_of(chip_id) if kind is SigningKey.VCEK else bytes(16)
    assert verified.instance == expected
    assert verified.endorsement.provider == (None if kind is SigningKey.VCEK else PROVIDER)


def test_the_simulator_is_deterministic_and_is_not_amd() -> None:
    assert recipe().build() == REPORT
    with pytest.raises(QuoteNotGenuineError, match="not a pinned one"):
        verify(REPORT, anchors=AMD_ANCHORS)
    assert all(anchor.development for anchor in ANCHORS)
    assert not any(anchor.development for anchor in AMD_ANCHORS)


# --- workload and platform -------------------------------------------------------------------------------


def test_workload_is_the_hash_over_code_and_policy() -> None:
    raw = parse_evidence(REPORT).report.raw
    expected = keccak256(SNP_WORKLOAD_TAG + raw[0x04:0x34] + raw[0x90:0x140])
    assert verify(REPORT).workload == expected == snp_workload_id(raw)


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"measurement": b"\x01" * 48}, False),
        ({"host_data": b"\x01" * 32}, False),
        ({"id_key_digest": b"\x01" * 48}, False),
        ({"author_key_digest": b"\x01" * 48}, False),
        ({"family_id": b"\x01" * 16}, False),
        ({"image_id": b"\x01" * 16}, False),
        ({"guest_svn": 1}, False),
        ({"vmpl": 1}, False),
        ({"policy": POLICY_RESERVED}, False),
        ({"version": 2}, True),
        ({"version": 5}, True),
        ({"platform_info": 0}, True),
        ({"report_data": bytes(64)}, True),
        ({"report_id": bytes(32)}, True),
        ({"endorsed": VLEK}, True),
    ],
)
def test_workload_depends_on_the_guest_and_not_on_the_platform(
    changes: dict[str, Any], same: bool
) -> None:
    assert (verify(recipe(**changes)).workload == verify(REPORT).workload) == same


def test_workload_takes_whole_reports_only() -> None:
    with pytest.raises(FieldError):
        snp_workload_id(bytes(0x2A0))


def test_a_masked_chip_has_no_instance_and_others_differ() -> None:
    assert instance_of(bytes(64)) == bytes(16)
    assert instance_of(CHIP_ID) == keccak256(CHIP_ID)[:16]
    with pytest.raises(FieldError):
        instance_of(bytes(8))


# --- guest policy ------------------------------------------------------------------------------------------


def test_a_guest_that_may_be_debugged_is_refused() -> None:
    with pytest.raises(DebugEnabledError, match="allows debugging"):
        verify(recipe(policy=POLICY_RESERVED | POLICY_DEBUG))


@pytest.mark.parametrize(
    "policy",
    [
        POLICY_RESERVED | POLICY_MIGRATION_AGENT,
        POLICY_SMT,
        0,
        POLICY_RESERVED | 1 << 26,
        POLICY_RESERVED | 1 << 63,
    ],
)
def test_a_policy_that_weakens_the_guest_or_is_not_understood_is_refused(policy: int) -> None:
    with pytest.raises(GuestPolicyRefusedError):
        verify(recipe(policy=policy))


@pytest.mark.parametrize("bit", [*range(17), 20, 21, 22, 23, 24, 25])
def test_other_known_bits_are_left_to_the_workload_id(bit: int) -> None:
    plain = verify(recipe(policy=POLICY_RESERVED)).workload
    assert verify(recipe(policy=POLICY_RESERVED | 1 << bit)).workload != plain


@pytest.mark.parametrize("vmpl", [1, 2, 3])
def test_privilege_levels_are_left_to_the_workload_id(vmpl: int) -> None:
    assert verify(recipe(vmpl=vmpl)).report.vmpl == vmpl


# --- TCB ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("component", ["boot_loader", "tee", "snp", "microcode", "fmc"])
@pytest.mark.parametrize("product", ProductLine)
def test_one_component_below_the_floor_is_out_of_date(component: str, product: ProductLine) -> None:
    own = Tcb(
        boot_loader=9, tee=9, snp=9, microcode=9, fmc=9 if product is ProductLine.TURIN else 0
    )
    built = recipe(endorsed=EndorsementRecipe(tcb=own))
    floor = replace(own, **{component: getattr(own, component)})
    assert verify(built, product=product, floors={product: floor}).status is TcbStatus.UP_TO_DATE
    floor = replace(own, **{component: getattr(own, component) + 1})
    with pytest.raises(TcbStatusRefusedError, match="not accepted"):
        verify(built, product=product, floors={product: floor})
    accepted = verify(built, product=product, floors={product: floor}, accept=ANY_STATUS)
    assert accepted.status is TcbStatus.OUT_OF_DATE


def test_a_product_line_without_a_floor_is_refused() -> None:
    with pytest.raises(TcbStatusRefusedError, match="No TCB floor"):
        verify(REPORT, floors={ProductLine.GENOA: Tcb()}, accept=ANY_STATUS)
    with pytest.raises(TcbStatusRefusedError, match="No TCB floor"):
        verify(REPORT, floors={})


def test_nobody_accepts_none_or_revoked() -> None:
    for status in (TcbStatus.NONE, TcbStatus.REVOKED):
        with pytest.raises(FieldError):
            verify(REPORT, accept={status, TcbStatus.UP_TO_DATE})


# --- the certificate against the report -------------------------------------------------------------------------


@pytest.mark.parametrize("product", ProductLine)
@pytest.mark.parametrize("component", ["boot_loader", "tee", "snp", "microcode"])
def test_a_report_of_another_tcb_than_the_certificates_is_refused(
    product: ProductLine, component: str
) -> None:
    """Claiming a newer TCB with an old VCEK, or an older one."""
    own = DEVELOPMENT_TCB
    for change in (1, -1):
        value = getattr(own, component) + change
        if value < 0:
            continue
        lie = replace(own, **{component: value}).encode(product)
        with pytest.raises(PlatformMismatchError, match="reported TCB"):
            verify(recipe(tcb=lie), product=product)


def test_turins_fmc_counts() -> None:
    lie = replace(DEVELOPMENT_TCB, fmc=1).encode(ProductLine.TURIN)
    with pytest.raises(PlatformMismatchError, match="reported TCB"):
        verify(recipe(tcb=lie), product=ProductLine.TURIN)
    good = EndorsementRecipe(tcb=replace(DEVELOPMENT_TCB, fmc=1))
    assert verify(recipe(endorsed=good), product=ProductLine.TURIN).tcb.fmc == 1


@pytest.mark.parametrize("product", ProductLine)
def test_a_report_with_reserved_tcb_bytes_is_refused(product: ProductLine) -> None:
    tcb = bytearray(DEVELOPMENT_TCB.encode(product))
    tcb[4] = 1
    with pytest.raises(SnpReportMalformedError, match="Reserved bytes"):
        verify(recipe(tcb=bytes(tcb)), product=product)


@pytest.mark.parametrize("product", ProductLine)
def test_a_report_of_another_chip_is_refused(product: ProductLine) -> None:
    used = product.chip_id_size
    for chip_id in (
        bytes(64),
        b"\x01" * used + bytes(64 - used),
        CHIP_ID[: used - 1].ljust(64, b"\0"),
        CHIP_ID[:used] + b"\x01" * (64 - used) if used < 64 else CHIP_ID[:63] + b"\x00",
    ):
        with pytest.raises(PlatformMismatchError, match="chip id"):
            verify(recipe(chip_id=chip_id), product=product)


def test_a_vlek_says_nothing_of_the_chip() -> None:
    assert verify(recipe(endorsed=VLEK, chip_id=CHIP_ID)).instance == instance_of(CHIP_ID)


@pytest.mark.parametrize("product", ProductLine)
def test_a_report_of_a_processor_of_another_line_is_refused(product: ProductLine) -> None:
    for other in ProductLine:
        cpu = {1: (0x19, 1, 0), 2: (0x19, 0x11, 0), 3: (0x1A, 2, 0)}[other]
        if other is product:
            assert verify(recipe(cpu=cpu), product=product)
            continue
        with pytest.raises(PlatformMismatchError, match="another product line"):
            verify(recipe(cpu=cpu), product=product)


def test_a_report_that_names_the_other_kind_of_key_is_refused() -> None:
    """The table's entry follows the report's word, so a VCEK's report is given the VLEK, and the reverse."""
    vcek = parse_evidence(REPORT)
    vlek = parse_evidence(recipe(endorsed=VLEK).build())
    swapped = replace(vcek, endorsement=vlek.endorsement, intermediate=vlek.intermediate)
    with pytest.raises(QuoteNotGenuineError, match="not the pinned one"):
        verify(swapped)
    with pytest.raises(QuoteNotGenuineError, match="another issuer"):
        verify(replace(vcek, endorsement=vlek.endorsement))
    # A VLEK that the ASK signed, for a report that says VCEK.
    forged = MILAN.endorsement(VLEK, MILAN.intermediate(SigningKey.VCEK))
    with pytest.raises(PlatformMismatchError, match="kind of signing key"):
        verify(replace(vcek, endorsement=forged.der))


# --- signature ------------------------------------------------------------------------------------------------


def test_a_report_signed_by_another_key_is_refused() -> None:
    with pytest.raises(QuoteNotGenuineError, match="did not sign"):
        verify(recipe(signer=MILAN.p384("stranger")))


@pytest.mark.parametrize("half", [bytes(48), b"\xff" * 48])
def test_a_signature_out_of_range_is_refused(half: bytes) -> None:
    for offset in (0x2A0, 0x2E8):
        with pytest.raises(QuoteNotGenuineError, match="did not sign"):
            verify(recipe(unsigned_patches=((offset, half),)))


@pytest.mark.parametrize(
    "offset", [0x04, 0x08, 0x30, 0x38, 0x40, 0x50, 0x90, 0xC0, 0x140, 0x160, 0x1F0]
)
def test_a_field_changed_after_signing_is_refused(offset: int) -> None:
    original = parse_evidence(REPORT).report.raw[offset]
    with pytest.raises((QuoteNotGenuineError, DebugEnabledError, GuestPolicyRefusedError)):
        verify(recipe(unsigned_patches=((offset, bytes([original ^ 1])),)))


# --- chain ------------------------------------------------------------------------------------------------------


def test_a_certificate_signed_by_a_stranger_is_refused() -> None:
    for signer in (STRANGER, MILAN.rsa("ark"), MILAN.rsa("asvk")):
        with pytest.raises(QuoteNotGenuineError, match="signature of The VCEK"):
            verify(endorsed(signer=signer))


def test_a_certificate_that_names_another_issuer_is_refused() -> None:
    name = der.name((der.COMMON_NAME, "somebody else"))
    with pytest.raises(QuoteNotGenuineError, match="another issuer"):
        verify(endorsed(issuer_name=name))


def test_a_strangers_whole_chain_is_refused() -> None:
    ark = MILAN.ark(AuthorityShape(key_label="stranger-ark"))
    with pytest.raises(QuoteNotGenuineError, match="not a pinned one"):
        verify(recipe(ark=ark.der))


def test_an_intermediate_that_is_not_pinned_is_refused_although_the_root_signed_it() -> None:
    shape = AuthorityShape(key_label="stranger-ask")
    intermediate = MILAN.intermediate(SigningKey.VCEK, shape)
    forged = MILAN.endorsement(EndorsementRecipe(), intermediate)
    with pytest.raises(QuoteNotGenuineError, match="not the pinned one"):
        verify(recipe(intermediate=intermediate.der, endorsement=forged.der, signer=forged.key))


@pytest.mark.parametrize("other", [ProductLine.GENOA, ProductLine.TURIN])
def test_a_chain_of_another_product_line_does_not_mix(other: ProductLine) -> None:
    theirs = development_snp_pki(other)
    with pytest.raises(QuoteNotGenuineError, match="not the pinned one"):
        verify(recipe(ark=theirs.ark().der))
    with pytest.raises(QuoteNotGenuineError, match="not the pinned one"):
        verify(recipe(intermediate=theirs.intermediate(SigningKey.VCEK).der))


@pytest.mark.parametrize("kind", SigningKey)
def test_the_roots_certificate_in_the_intermediates_place_is_refused(kind: SigningKey) -> None:
    built = recipe(endorsed=EndorsementRecipe(signing_key=kind), intermediate=MILAN.ark().der)
    with pytest.raises(QuoteNotGenuineError, match="not the pinned one"):
        verify(built)


@pytest.mark.parametrize(
    "shape",
    [
        AuthorityShape(is_ca=False, path_length=-1),
        AuthorityShape(key_usage=(b"\x80", 7)),
        AuthorityShape(critical=False),
    ],
)
def test_an_authority_without_the_role_is_refused(shape: AuthorityShape) -> None:
    """The keys are the pinned ones; only what AMD's certificate says of them differs."""
    with pytest.raises(QuoteNotGenuineError, match="ASK certificate is not a CA"):
        verify(recipe(intermediate=MILAN.intermediate(SigningKey.VCEK, shape).der))
    with pytest.raises(QuoteNotGenuineError, match="ARK certificate is not a CA"):
        verify(recipe(ark=MILAN.ark(shape).der))


def test_a_root_whose_path_length_leaves_no_room_is_refused() -> None:
    with pytest.raises(QuoteNotGenuineError, match="path length"):
        verify(recipe(ark=MILAN.ark(AuthorityShape(path_length=0)).der))


def test_authorities_signed_by_strangers_are_refused() -> None:
    shape = AuthorityShape(signer=STRANGER)
    with pytest.raises(QuoteNotGenuineError, match="signature of The ASK"):
        verify(recipe(intermediate=MILAN.intermediate(SigningKey.VCEK, shape).der))
    with pytest.raises(QuoteNotGenuineError, match="signature of The ARK"):
        verify(recipe(ark=MILAN.ark(shape).der))


def test_both_spellings_of_amds_signature_algorithm_are_taken_and_no_third() -> None:
    assert verify(endorsed(with_trailer=False)).status
    assert verify(endorsed(with_trailer=True)).status
    pkcs1 = bytes.fromhex("300d06092a864886f70d01010c0500")
    salt_32 = RSA_PSS_SHA384.replace(bytes.fromhex("a203020130"), bytes.fromhex("a203020120"))
    for algorithm in (pkcs1, salt_32):
        with pytest.raises(CertificateMalformedError, match="RSASSA-PSS"):
            verify(endorsed(signature_algorithm=algorithm))


# --- time and revocation ----------------------------------------------------------------------------------------


def test_every_certificate_must_be_valid_to_the_second() -> None:
    assert verify(endorsed(not_after=NOW)).shortest.end == NOW
    assert verify(endorsed(not_before=NOW)).status
    for changes in ({"not_after": NOW - 1}, {"not_before": NOW + 1}):
        with pytest.raises(EvidenceExpiredError, match="VCEK certificate"):
            verify(endorsed(**changes))
        shape = AuthorityShape(**changes)
        with pytest.raises(EvidenceExpiredError, match="ASK certificate"):
            verify(recipe(intermediate=MILAN.intermediate(SigningKey.VCEK, shape).der))
        with pytest.raises(EvidenceExpiredError, match="ARK certificate"):
            verify(recipe(ark=MILAN.ark(shape).der))


def test_a_revoked_authority_or_key_is_refused() -> None:
    verified = verify(REPORT)
    ark = MILAN.ark()
    revoked = {Revoked(ark.subject, ProductLine.MILAN << 16 | 1)}
    with pytest.raises(CertificateRevokedError, match="ASK"):
        verify(REPORT, revoked=revoked)
    # Every VCEK has the serial number zero, so that is no name for one.
    nameless = {Revoked(verified.endorsement.certificate.issuer, 0)}
    assert verify(REPORT, revoked=nameless)
    with pytest.raises(CertificateRevokedError, match="key of The VCEK"):
        verify(REPORT, revoked_keys={keccak256(verified.endorsement.key)})
    assert verify(recipe(endorsed=VLEK), revoked_keys={keccak256(verified.endorsement.key)})


# --- the endorsement's profile ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SigningKey)
@pytest.mark.parametrize(
    "suffix", ["1", "2", "3.1", "3.2", "3.3", "3.4", "3.5", "3.6", "3.7", "3.8"]
)
def test_a_missing_extension_is_refused(kind: SigningKey, suffix: str) -> None:
    with pytest.raises(CertificateMalformedError, match="lacks an extension"):
        verify(endorsed(signing_key=kind, without=frozenset({suffix})))


def test_turin_needs_its_fmc_and_others_must_not_have_one() -> None:
    with pytest.raises(CertificateMalformedError, match="lacks an extension"):
        verify(endorsed(without=frozenset({"3.9"})), product=ProductLine.TURIN)
    fmc = Extension(f"{AMD_EXTENSIONS}.3.9", False, der.integer(0))
    with pytest.raises(CertificateMalformedError, match="only Turin"):
        verify(endorsed(extra=(fmc,)))
    assert verify(endorsed(without=frozenset({"3.4"})), product=ProductLine.TURIN)


def test_a_certificate_of_neither_kind_or_both_is_refused() -> None:
    with pytest.raises(CertificateMalformedError, match="neither"):
        verify(endorsed(without=frozenset({"4"})))
    with pytest.raises(CertificateMalformedError, match="neither"):
        verify(endorsed(provider="CN=both"))
    with pytest.raises(CertificateMalformedError, match="neither"):
        verify(endorsed(signing_key=SigningKey.VLEK, without=frozenset({"5"})))


@pytest.mark.parametrize("size", [1, 8, 63, 65])
def test_a_hardware_id_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(CertificateMalformedError, match="hardware id"):
        verify(endorsed(hardware_id=b"\x01" * size))


@pytest.mark.parametrize(
    "name", ["Genoa-B1", "Turin", "milan", "Milano", "Mila", "", "Milan" + "x" * 64, "Mil\u00e1n"]
)
def test_another_product_is_refused(name: str) -> None:
    with pytest.raises((PlatformMismatchError, CertificateMalformedError)):
        # An empty name means the recipe's own, so it is written by hand.
        verify(
            endorsed(product_name=name)
            if name
            else endorsed(
                without=frozenset({"2"}),
                extra=(Extension(f"{AMD_EXTENSIONS}.2", False, b"\x16\x00"),),
            )
        )


@pytest.mark.parametrize(
    ("name", "line"), [("Milan-B0", 1), ("Milan-B1", 1), ("Siena-B0", 2), ("Turin-C1", 3)]
)
def test_steppings_and_siblings_of_a_line_are_taken(name: str, line: int) -> None:
    assert verify(endorsed(product_name=name), product=ProductLine(line))


def test_reserved_components_must_be_zero() -> None:
    with pytest.raises(CertificateMalformedError, match="reserved component"):
        verify(endorsed(reserved_component=1))


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\x02\x00",
        b"\x02\x01\x80",
        b"\x02\x02\x00\x01",
        b"\x02\x02\x01\x00",
        b"\x02\x01\x01\x00",
        b"\x04\x01\x01",
    ],
)
def test_a_component_that_is_no_byte_in_der_is_refused(value: bytes) -> None:
    bent = Extension(f"{AMD_EXTENSIONS}.3.2", False, value)
    with pytest.raises(CertificateMalformedError):
        verify(endorsed(without=frozenset({"3.2"}), extra=(bent,)))


def test_an_extension_twice_unknown_or_critical_is_refused() -> None:
    twice = Extension(f"{AMD_EXTENSIONS}.3.1", False, der.integer(4))
    with pytest.raises(CertificateMalformedError, match="an extension twice"):
        verify(endorsed(extra=(twice,)))
    for kind, critical in (
        (f"{AMD_EXTENSIONS}.6", False),
        (f"{AMD_EXTENSIONS}.3.10", False),
        ("1.2.3.4", True),
    ):
        with pytest.raises(CertificateMalformedError, match="not known"):
            verify(endorsed(extra=(Extension(kind, critical, der.integer(0)),)))
    assert verify(endorsed(extra=(Extension("1.2.3.4", False, der.integer(0)),)))


def test_floors_of_all_lines_are_reached_by_the_simulator() -> None:
    for product in ProductLine:
        assert DEVELOPMENT_TCB.reaches(FLOORS[product])
