"""Verification of simulated documents: what holds, what is refused and why. Every forgery is an attack by name."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.attestation.nitro.support import (
    DOCUMENT,
    NOW,
    ROOT,
    recipe,
    shaped,
    verify,
    with_field,
)
from tests.attestation.support import BINDING
from xmtp_tee.attestation.errors import (
    CertificateMalformedError,
    CertificateRevokedError,
    DebugEnabledError,
    DocumentTimeError,
    EvidenceExpiredError,
    FieldError,
    NitroDocumentMalformedError,
    QuoteNotGenuineError,
)
from xmtp_tee.attestation.kinds import TcbStatus, TeeKind
from xmtp_tee.attestation.nitro.document import PCR_SIZE, parse_document
from xmtp_tee.attestation.nitro.verify import MAX_CLOCK_SKEW, verify_document
from xmtp_tee.attestation.nitro.workload import (
    NITRO_WORKLOAD_TAG,
    instance_of,
    nitro_workload_id,
)
from xmtp_tee.attestation.simulator import der
from xmtp_tee.attestation.simulator.certificate import Extension
from xmtp_tee.attestation.simulator.nitro import (
    CertificateShape,
    DevelopmentNitroPki,
    DocumentRecipe,
    NitroLevel,
    development_nitro_pki,
)
from xmtp_tee.attestation.simulator.nitro.document import development_pcrs
from xmtp_tee.attestation.simulator.nitro.pki import (
    CHAIN,
    SIGNS_ALL,
    SIGNS_CERTIFICATES,
    SIGNS_DOCUMENTS,
)
from xmtp_tee.attestation.x509 import Revoked
from xmtp_tee.hashing import keccak256

ATTACKER = DevelopmentNitroPki(b"an attacker's own root")
BANK = development_pcrs()
CAS = [level for level in CHAIN if level is not NitroLevel.ENCLAVE]
BELOW_ROOT = [level for level in CHAIN if level is not NitroLevel.ROOT]


def test_a_genuine_document_verifies_and_says_that_it_is_simulated() -> None:
    verified = verify(DOCUMENT)
    assert verified.tee is TeeKind.NITRO
    assert verified.status is TcbStatus.UP_TO_DATE
    assert verified.report_data == BINDING.report_data()
    assert verified.made_at == NOW
    assert verified.development
    assert verified.shortest.name == "The enclave's certificate"
    assert verified.shortest.end - verified.shortest.start == 3 * 3600 + 3


def test_the_simulator_is_deterministic_and_seeds_share_nothing() -> None:
    assert recipe().build(NOW) == DOCUMENT
    other = recipe().build(NOW, ATTACKER)
    with pytest.raises(QuoteNotGenuineError, match="pinned root"):
        verify(other)
    assert verify_document(other, ATTACKER.root.der, NOW).development


# --- workload and platform -------------------------------------------------------------------------


def test_workload_is_the_hash_over_registers_0_1_2_and_8() -> None:
    expected = keccak256(NITRO_WORKLOAD_TAG + BANK[0] + BANK[1] + BANK[2] + BANK[8])
    assert (
        verify(DOCUMENT).workload == expected == nitro_workload_id(*(BANK[i] for i in (0, 1, 2, 8)))
    )


@pytest.mark.parametrize("index", range(16))
def test_workload_depends_on_code_and_signer_and_nothing_else(index: int) -> None:
    bank = {**BANK, index: b"\xaa" * PCR_SIZE}
    same = verify(recipe(pcrs=bank)).workload == verify(DOCUMENT).workload
    assert same == (index not in (0, 1, 2, 8))


def test_workload_takes_registers_of_48_bytes_only() -> None:
    for size in (0, 32, 47, 49, 64):
        with pytest.raises(FieldError):
            nitro_workload_id(bytes(48), bytes(48), bytes(size), bytes(48))


def test_instance_is_that_of_the_ec2_instance_and_outlives_a_restart() -> None:
    again = recipe(module_id="i-0de7e109e00000001-enc0de7e109e0000002")
    elsewhere = recipe(module_id="i-0de7e109e00000002-enc0de7e109e0000001")
    instance = verify(DOCUMENT).instance
    assert instance == keccak256(b"i-0de7e109e00000001")[:16]
    assert verify(again).instance == instance
    assert verify(elsewhere).instance != instance
    assert instance_of(parse_document(DOCUMENT)) == instance


# --- debug -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("zeroed", [(0, 1, 2), (0,), (1,), (2,), (0, 1)])
def test_a_debug_enclave_is_refused(zeroed: tuple[int, ...]) -> None:
    bank = {**BANK, **{index: bytes(PCR_SIZE) for index in zeroed}}
    with pytest.raises(DebugEnabledError, match=f"PCR{zeroed[-1]} zero"):
        verify(recipe(pcrs=bank))


# --- signature -------------------------------------------------------------------------------------


def test_a_document_signed_by_another_key_is_refused() -> None:
    for label in ("instance", "attacker"):
        with pytest.raises(QuoteNotGenuineError, match="did not sign"):
            verify(recipe(signer=ATTACKER.key(label)))


@pytest.mark.parametrize("signature", [bytes(95) + b"\x01", b"\xff" * 96, b"\x01" + bytes(95)])
def test_a_signature_out_of_range_is_refused(signature: bytes) -> None:
    with pytest.raises(QuoteNotGenuineError, match="did not sign"):
        verify(recipe(signature=signature))


def test_another_documents_signature_is_refused() -> None:
    other = parse_document(recipe(nonce=b"another").build(NOW)).signature
    with pytest.raises(QuoteNotGenuineError, match="did not sign"):
        verify(recipe(signature=other))


# --- chain -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", BELOW_ROOT)
def test_a_certificate_signed_by_an_attacker_is_refused_at_every_level(level: NitroLevel) -> None:
    """The loop that stays "verified" when the issuer does not match is the bug of others."""
    with pytest.raises(QuoteNotGenuineError, match="signature"):
        verify(shaped(level, signing_key=ATTACKER.key("forger")))


@pytest.mark.parametrize("level", BELOW_ROOT)
def test_a_certificate_that_names_another_issuer_is_refused(level: NitroLevel) -> None:
    with pytest.raises(QuoteNotGenuineError, match="another issuer"):
        verify(shaped(level, issuer_name=der.name((der.COMMON_NAME, "somebody else"))))


def test_an_attackers_whole_chain_under_the_pinned_roots_name_is_refused() -> None:
    own = ATTACKER.chain(NOW)
    pinned = development_nitro_pki().root
    bundle = (pinned.der, *(authority.der for authority in own[1:-1]))
    forged = recipe(bundle=bundle, certificate=own[-1].der, signer=own[-1].key)
    with pytest.raises(QuoteNotGenuineError, match="signature"):
        verify(forged)


def test_a_root_with_the_same_key_in_another_certificate_is_refused() -> None:
    with pytest.raises(QuoteNotGenuineError, match="pinned root"):
        verify(shaped(NitroLevel.ROOT, serial=77))


@pytest.mark.parametrize("level", CAS[1:])
def test_a_chain_without_one_of_its_authorities_is_refused(level: NitroLevel) -> None:
    chain = development_nitro_pki().chain(NOW)
    bundle = tuple(
        c.der
        for place, c in zip(CHAIN, chain, strict=True)
        if place not in (level, NitroLevel.ENCLAVE)
    )
    with pytest.raises(QuoteNotGenuineError, match="another issuer"):
        verify(recipe(bundle=bundle))


def test_authorities_in_another_order_are_refused() -> None:
    chain = development_nitro_pki().chain(NOW)
    root, regional, zonal, instance = (certificate.der for certificate in chain[:-1])
    for bundle in ((root, zonal, regional, instance), (instance, zonal, regional, root)):
        with pytest.raises(QuoteNotGenuineError):
            verify(recipe(bundle=bundle))


def test_an_enclaves_certificate_that_issues_another_is_refused() -> None:
    """An enclave's operator has its leaf's key? Then it still is no CA."""
    pki = development_nitro_pki()
    module_id = "i-0de7e109e00000001-enc0de7e109e0000009"
    roomy = {
        NitroLevel.REGIONAL: CertificateShape(path_length=3),
        NitroLevel.ZONAL: CertificateShape(path_length=2),
        NitroLevel.INSTANCE: CertificateShape(path_length=1),
    }
    for shapes, message in (({}, "path length"), (roomy, "is not a CA")):
        chain = pki.chain(NOW, shapes=shapes)
        forged = pki.issue(NitroLevel.ENCLAVE, chain[-1], NOW, module_id)
        attack = recipe(
            bundle=tuple(certificate.der for certificate in chain),
            certificate=forged.der,
            signer=forged.key,
            module_id=module_id,
        )
        with pytest.raises(QuoteNotGenuineError, match=message):
            verify(attack)


@pytest.mark.parametrize("level", CAS[1:])
@pytest.mark.parametrize(
    "changes",
    [
        {"is_ca": False, "path_length": -1},
        {"without": frozenset({"2.5.29.19"})},
        {"without": frozenset({"2.5.29.15"})},
        {"key_usage": (b"\x80", 7)},
        {"key_usage": (b"\x02", 1)},
        {"constraints_critical": False},
    ],
)
def test_an_authority_without_the_role_is_refused(
    level: NitroLevel, changes: dict[str, object]
) -> None:
    with pytest.raises(QuoteNotGenuineError, match="is not a CA"):
        verify(shaped(level, **changes))


@pytest.mark.parametrize(
    ("level", "path_length"),
    [(NitroLevel.REGIONAL, 1), (NitroLevel.REGIONAL, 0), (NitroLevel.ZONAL, 0)],
)
def test_an_authority_above_more_than_its_path_length_is_refused(
    level: NitroLevel, path_length: int
) -> None:
    with pytest.raises(QuoteNotGenuineError, match="path length"):
        verify(shaped(level, path_length=path_length))


def test_a_longer_or_missing_path_length_is_no_fault() -> None:
    assert verify(shaped(NitroLevel.REGIONAL, path_length=3))
    assert verify(shaped(NitroLevel.ZONAL, path_length=-1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"is_ca": True}, "is a CA"),
        ({"path_length": 0}, "is a CA"),
        ({"key_usage": SIGNS_CERTIFICATES}, "key usage"),
        ({"key_usage": SIGNS_ALL}, "key usage"),
        ({"key_usage": (b"\x40", 6)}, "key usage"),
        ({"without": frozenset({"2.5.29.15"})}, "key usage"),
    ],
)
def test_an_enclaves_certificate_of_another_role_is_refused(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(QuoteNotGenuineError, match=message):
        verify(shaped(NitroLevel.ENCLAVE, **changes))


@pytest.mark.parametrize("level", BELOW_ROOT)
def test_an_unknown_critical_extension_is_refused(level: NitroLevel) -> None:
    unknown = Extension("1.2.3.4", True, b"\x05\x00")
    with pytest.raises(QuoteNotGenuineError, match="critical extension"):
        verify(shaped(level, extra=(unknown,)))
    assert verify(shaped(level, extra=(replace(unknown, critical=False),)))


@pytest.mark.parametrize("level", BELOW_ROOT)
def test_an_extension_twice_is_refused(level: NitroLevel) -> None:
    constraints = Extension("2.5.29.19", True, der.sequence(der.boolean(True)))
    with pytest.raises(CertificateMalformedError, match="an extension twice"):
        verify(shaped(level, extra=(constraints,)))


@pytest.mark.parametrize("level", BELOW_ROOT)
@pytest.mark.parametrize(
    "changes",
    [
        {"signature_algorithm": bytes.fromhex("300a06082a8648ce3d040302")},
        {"inner_algorithm": bytes.fromhex("300a06082a8648ce3d040302")},
        {"version": 1},
        {"key_info": b"\x30\x00"},
    ],
)
def test_a_certificate_of_another_form_is_refused(
    level: NitroLevel, changes: dict[str, object]
) -> None:
    with pytest.raises(CertificateMalformedError):
        verify(shaped(level, **changes))


def test_an_enclaves_key_on_another_curve_is_refused() -> None:
    point = b"\x04" + bytes(64)
    p256 = der.sequence(
        der.sequence(der.oid("1.2.840.10045.2.1"), der.oid("1.2.840.10045.3.1.7")),
        der.bit_string(point),
    )
    with pytest.raises(CertificateMalformedError, match=r"P-384"):
        verify(shaped(NitroLevel.ENCLAVE, key_info=p256))


def test_an_enclaves_key_that_is_no_point_signed_nothing() -> None:
    algorithm = bytes.fromhex("301006072a8648ce3d020106052b81040022")
    info = der.sequence(algorithm, der.bit_string(b"\x04" + b"\x01" * 96))
    with pytest.raises(QuoteNotGenuineError, match="did not sign"):
        verify(shaped(NitroLevel.ENCLAVE, key_info=info))


def test_a_document_of_another_module_than_its_certificate_is_refused() -> None:
    with pytest.raises(QuoteNotGenuineError, match="another module"):
        verify(with_field("module_id", "i-0de7e109e00000001-enc0de7e109e0000002"))


@pytest.mark.parametrize(
    "names",
    [
        (),
        ((der.ORGANIZATION, "only"),),
        ((der.COMMON_NAME, "a"), (der.COMMON_NAME, "b")),
        ((der.COMMON_NAME, "i-\u00e9-enc1.zz.aws"),),
    ],
)
def test_an_enclaves_certificate_without_one_common_name_is_refused(
    names: tuple[tuple[str, str], ...],
) -> None:
    with pytest.raises(CertificateMalformedError, match="common name"):
        verify(shaped(NitroLevel.ENCLAVE, subject_name=der.name(*names)))


# --- time ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", BELOW_ROOT)
def test_every_certificate_must_be_valid_to_the_second(level: NitroLevel) -> None:
    """Ancestors too: what lapses above is the bug of others."""
    assert verify(shaped(level, not_after=NOW))
    assert verify(shaped(level, not_before=NOW))
    for changes in ({"not_after": NOW - 1}, {"not_before": NOW + 1}):
        with pytest.raises(EvidenceExpiredError):
            verify(shaped(level, **changes))


def test_a_lapsed_root_is_refused() -> None:
    pki = DevelopmentNitroPki()
    shape = CertificateShape(not_after=NOW - 1)
    lapsed = pki.issue(NitroLevel.ROOT, None, NOW, shape=shape)
    document = recipe(shapes={NitroLevel.ROOT: shape}).build(NOW, pki)
    with pytest.raises(EvidenceExpiredError, match="root certificate"):
        verify_document(document, lapsed.der, NOW)


def test_the_timestamp_counts_milliseconds_and_lies_in_the_keys_life() -> None:
    """Milliseconds compared with seconds is the bug of others."""
    leaf = verify(DOCUMENT).chain.leaf
    for good in (leaf.not_before * 1000, leaf.not_before * 1000 + 999, NOW * 1000 + 999):
        assert verify(recipe(timestamp_ms=good))
    for bad in (NOW, leaf.not_before * 1000 - 1, (leaf.not_after + 1) * 1000, NOW * 1_000_000):
        with pytest.raises(DocumentTimeError):
            verify(recipe(timestamp_ms=bad))


def test_a_document_from_the_future_is_refused_beyond_the_clocks_skew() -> None:
    assert verify(recipe(timestamp_ms=(NOW + MAX_CLOCK_SKEW) * 1000 + 999))
    with pytest.raises(DocumentTimeError, match="future"):
        verify(recipe(timestamp_ms=(NOW + MAX_CLOCK_SKEW + 1) * 1000))


def test_a_document_that_is_kept_lapses_with_its_certificate() -> None:
    leaf = verify(DOCUMENT).chain.leaf
    assert verify(DOCUMENT, leaf.not_after)
    with pytest.raises(EvidenceExpiredError, match="enclave's certificate"):
        verify(DOCUMENT, leaf.not_after + 1)


# --- revocation ------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", range(5))
def test_a_revoked_certificate_is_refused_at_every_level(place: int) -> None:
    certificate = verify(DOCUMENT).chain.certificates[place]
    revoked = {Revoked(certificate.issuer, certificate.serial_number)}
    with pytest.raises(CertificateRevokedError):
        verify_document(DOCUMENT, ROOT, NOW, revoked)


def test_revocation_names_issuer_and_serial_together() -> None:
    chain = verify(DOCUMENT).chain.certificates
    others = {
        Revoked(chain[0].issuer, chain[4].serial_number),
        Revoked(chain[4].issuer, chain[4].serial_number + 1),
    }
    assert verify_document(DOCUMENT, ROOT, NOW, others)


# --- report data, root -----------------------------------------------------------------------------


@pytest.mark.parametrize("user_data", [None, b"", bytes(63), bytes(65), bytes(512)])
def test_user_data_of_another_size_is_no_report_data(user_data: bytes | None) -> None:
    verified = verify(recipe(user_data=user_data))
    with pytest.raises(NitroDocumentMalformedError, match="report data"):
        assert verified.report_data


def test_only_a_self_signed_ca_on_p384_can_be_pinned() -> None:
    chain = development_nitro_pki().chain(NOW)
    for certificate in chain[1:]:
        with pytest.raises(FieldError, match="not a root certificate"):
            verify_document(DOCUMENT, certificate.der, NOW)
    for der_bytes in (b"", b"\x30\x00", ROOT + b"\x00", ROOT[:-1]):
        with pytest.raises(FieldError, match="not a root certificate"):
            verify_document(DOCUMENT, der_bytes, NOW)


def test_a_pinned_root_that_did_not_sign_itself_is_refused() -> None:
    key: ec.EllipticCurvePrivateKey = ATTACKER.key("another")
    shape = CertificateShape(signing_key=key)
    root = development_nitro_pki().issue(NitroLevel.ROOT, None, NOW, shape=shape)
    with pytest.raises(FieldError, match="not a root certificate"):
        verify_document(DOCUMENT, root.der, NOW)


def test_default_recipe_is_what_a_verifier_accepts() -> None:
    assert verify(DocumentRecipe()).report_data == bytes(64)
    assert verify(shaped(NitroLevel.ENCLAVE, key_usage=SIGNS_DOCUMENTS))


def test_two_enclaves_of_one_instance_have_certificates_of_their_own() -> None:
    """Revocation names issuer and serial: a second certificate under the same pair would escape it."""
    other = "i-0de7e109e00000001-enc0de7e109e0000002"
    first, second = verify(DOCUMENT).chain, verify(recipe(module_id=other)).chain
    assert first.authorities == second.authorities
    assert first.leaf.serial_number != second.leaf.serial_number
