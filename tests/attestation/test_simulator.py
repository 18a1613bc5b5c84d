"""The simulator: reproducible, of Intel's shape, and believed by an independent verifier under its own root."""

from __future__ import annotations

from dataclasses import replace

import dcap_qvl
import pytest
from cryptography import x509

from tests.attestation.support import (
    COLLATERAL,
    DAY,
    ISSUED_AT,
    NOW,
    QUOTE,
    RECIPE,
    ROOT,
    Genuine,
)
from xmtp_tee.attestation import parse_quote
from xmtp_tee.attestation.certificates import SGX_EXTENSION
from xmtp_tee.attestation.simulator import (
    CollateralRecipe,
    DevelopmentPki,
    Platform,
    QuoteRecipe,
    development_pki,
    development_root_certificate,
)


def test_simulator_gives_the_same_bytes_for_the_same_seed() -> None:
    other = DevelopmentPki()
    assert RECIPE.build(other) == QUOTE
    assert CollateralRecipe().build(ISSUED_AT, other) == COLLATERAL
    assert other.root.der == development_root_certificate()


def test_simulator_shares_no_key_between_seeds() -> None:
    other = DevelopmentPki(b"another seed")
    ours = development_pki()
    keys = {
        issued.public_key
        for pki in (ours, other)
        for issued in (pki.root, pki.platform_ca, pki.processor_ca, pki.tcb_signer, pki.issue_pck())
    }
    assert len(keys) == 10


def test_dcap_qvl_accepts_the_simulators_quote_under_the_development_root_only(
    genuine: Genuine,
) -> None:
    collateral = COLLATERAL.to_dcap_qvl()
    report = dcap_qvl.verify_with_root_ca(QUOTE, collateral, ROOT, NOW)
    assert report.status == "UpToDate"
    with pytest.raises(ValueError, match="Verification failed"):
        dcap_qvl.verify_with_root_ca(QUOTE, collateral, genuine.intel_root, NOW)
    with pytest.raises(ValueError, match="Verification failed"):
        dcap_qvl.verify(QUOTE, collateral, NOW)


def test_dcap_qvl_accepts_a_processor_ca_platform_too() -> None:
    pki = development_pki()
    quote = replace(RECIPE, issuer=pki.processor_ca).build()
    collateral = CollateralRecipe(pck_ca=pki.processor_ca).build(ISSUED_AT)
    report = dcap_qvl.verify_with_root_ca(quote, collateral.to_dcap_qvl(), ROOT, NOW)
    assert report.status == "UpToDate"


def shape(der: bytes) -> tuple[object, ...]:
    """What a certificate is made of, apart from names, keys and times."""
    certificate = x509.load_der_x509_certificate(der)
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    return (
        certificate.version,
        certificate.signature_algorithm_oid.dotted_string,
        [a.oid.dotted_string for a in certificate.subject],
        [(e.oid.dotted_string, e.critical) for e in certificate.extensions],
        (constraints.ca, constraints.path_length),
        usage.public_bytes(),
    )


def sgx_items(der: bytes) -> list[tuple[str, int]]:
    """The object identifiers within the SGX extension, in order, with the tag of each value."""
    extensions = x509.load_der_x509_certificate(der).extensions
    value = extensions.get_extension_for_oid(SGX_EXTENSION).value
    assert isinstance(value, x509.UnrecognizedExtension)
    data, items, at = value.value, [], 0
    prefix = bytes.fromhex("2a864886f84d010d01")
    while (at := data.find(prefix, at)) != -1:
        size = data[at - 1]
        items.append((data[at : at + size].hex(), data[at + size]))
        at += size
    return items


def test_simulated_certificates_have_the_genuine_ones_shape(genuine: Genuine) -> None:
    pki = development_pki()
    roots = "intel-collateral/roots"
    leaf, platform_ca, root = parse_quote(genuine.read("tdx/phala_tdx_quote.bin")).pck_chain
    assert shape(pki.root.der) == shape(root)
    assert shape(pki.platform_ca.der) == shape(platform_ca)
    assert shape(pki.processor_ca.der) == shape(platform_ca)
    assert shape(pki.issue_pck().der) == shape(leaf)
    signer = genuine.read(f"{roots}/Intel_SGX_TCB_Signing.der")
    assert shape(pki.tcb_signer.der) == shape(signer)
    assert sgx_items(pki.issue_pck().der) == sgx_items(leaf)


def test_simulated_processor_leaf_has_no_platform_instance() -> None:
    pki = development_pki()
    identifiers = [
        oid for oid, _ in sgx_items(pki.issue_pck(Platform(), issuer=pki.processor_ca).der)
    ]
    assert [oid for oid in identifiers if oid.startswith("2a864886f84d010d0106")] == []
    assert [oid for oid in identifiers if oid.startswith("2a864886f84d010d0107")] == []


def test_simulated_crls_have_the_genuine_ones_shape(genuine: Genuine) -> None:
    pki = development_pki()
    for simulated, path in (
        (
            pki.crl(pki.root, this_update=NOW, next_update=NOW + DAY),
            "intel-collateral/2025-06/root_crl.der",
        ),
        (
            pki.crl(pki.platform_ca, this_update=NOW, next_update=NOW + DAY, revoked=(7, 1 << 158)),
            "intel-collateral/2025-06/platform_crl.der",
        ),
    ):
        ours, real = (x509.load_der_x509_crl(der) for der in (simulated, genuine.read(path)))
        assert [e.oid for e in ours.extensions] == [e.oid for e in real.extensions]
        assert ours.signature_algorithm_oid == real.signature_algorithm_oid
        assert [[e.oid for e in entry.extensions] for entry in ours] == [
            [e.oid for e in entry.extensions] for entry in list(real)[: len(ours)]
        ]


def test_simulated_certificates_name_the_development() -> None:
    pki = development_pki()
    for issued in (pki.root, pki.platform_ca, pki.processor_ca, pki.tcb_signer, pki.issue_pck()):
        name = issued.certificate.subject.rfc4514_string()
        assert "XMTP TEE Development" in name
        assert "Intel" not in name


def test_issued_does_not_show_its_key() -> None:
    assert "key=" not in repr(development_pki().issue_pck())
    shown = repr(QuoteRecipe(quote_signer=development_pki().key("stranger")))
    assert "quote_signer" not in shown
    assert "PrivateKey" not in shown
