"""AWS's form of revocation lists, made by the development PKI's keys."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from tests.attestation.nitro.support import DOCUMENT, NOW, ROOT, attestation, verify
from xmtp_tee.attestation.errors import (
    CertificateRevokedError,
    CollateralInvalidError,
    CollateralLapsedError,
    CollateralNotYetValidError,
    QuoteNotGenuineError,
)
from xmtp_tee.attestation.nitro.revocation import read_nitro_crl
from xmtp_tee.attestation.nitro.verify import verify_document
from xmtp_tee.attestation.offline import Trust, judge_offline, verify_offline
from xmtp_tee.attestation.revocation_line import REVOCATION
from xmtp_tee.attestation.simulator.nitro import development_nitro_pki
from xmtp_tee.attestation.x509 import X509, Revoked
from xmtp_tee.verdict import Check, CheckResult

CHAIN = verify(DOCUMENT).chain
ISSUER = CHAIN.certificates[2]
ISSUER_KEY = development_nitro_pki().chain(NOW)[2].key


def crl(
    *,
    issuer: bytes = ISSUER.subject,
    key: ec.EllipticCurvePrivateKey = ISSUER_KEY,
    algorithm: hashes.HashAlgorithm | None = None,
    serials: tuple[int, ...] = (CHAIN.certificates[3].serial_number,),
    start: int = NOW - 60,
    end: int = NOW + 60,
) -> bytes:
    """A list of the zonal CA."""
    # The library's builder takes no DER name, so that of a certificate with this issuer is borrowed.
    names = {CHAIN.certificates[i].issuer: CHAIN.certificates[i].der for i in range(1, 5)}
    name = x509.load_der_x509_certificate(names[issuer]).issuer
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(name)
        .last_update(datetime.fromtimestamp(start, UTC))
        .next_update(datetime.fromtimestamp(end, UTC))
    )
    for serial in serials:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(serial)
            .revocation_date(datetime.fromtimestamp(start, UTC))
            .build()
        )
    return builder.sign(key, algorithm or hashes.SHA384()).public_bytes(Encoding.DER)


def test_what_the_list_names_is_revoked() -> None:
    revoked = read_nitro_crl(crl(), ISSUER, NOW)
    assert revoked == {Revoked(ISSUER.subject, CHAIN.certificates[3].serial_number)}
    with pytest.raises(CertificateRevokedError):
        verify_document(DOCUMENT, ROOT, NOW, revoked)


def test_an_empty_list_revokes_nothing() -> None:
    assert read_nitro_crl(crl(serials=()), ISSUER, NOW) == frozenset()


def test_another_issuers_list_is_refused() -> None:
    with pytest.raises(CollateralInvalidError, match="not that of"):
        read_nitro_crl(crl(issuer=CHAIN.certificates[0].subject), ISSUER, NOW)


def test_a_forged_list_is_refused() -> None:
    with pytest.raises(CollateralInvalidError, match="not that of"):
        read_nitro_crl(crl(key=development_nitro_pki().key("forger")), ISSUER, NOW)
    with pytest.raises(CollateralInvalidError, match="not that of"):
        read_nitro_crl(crl(algorithm=hashes.SHA256()), ISSUER, NOW)


def test_an_authority_that_may_not_sign_lists_has_none() -> None:
    """The instance CA signs certificates alone."""
    instance = CHAIN.certificates[3]
    key = development_nitro_pki().chain(NOW)[3].key
    with pytest.raises(QuoteNotGenuineError, match="signs no revocation lists"):
        read_nitro_crl(crl(issuer=instance.subject, key=key), instance, NOW)


def test_a_list_counts_only_in_its_time() -> None:
    assert read_nitro_crl(crl(start=NOW), ISSUER, NOW)
    assert read_nitro_crl(crl(end=NOW), ISSUER, NOW)
    with pytest.raises(CollateralLapsedError):
        read_nitro_crl(crl(end=NOW - 1), ISSUER, NOW)
    with pytest.raises(CollateralNotYetValidError):
        read_nitro_crl(crl(start=NOW + 1), ISSUER, NOW)


@pytest.mark.parametrize("raw", [b"", b"\x30\x00", crl()[:-1], crl() + b"\x00"])
def test_what_is_no_list_is_refused(raw: bytes) -> None:
    with pytest.raises(CollateralInvalidError):
        read_nitro_crl(raw, ISSUER, NOW)


# --- the verdict's line ---------------------------------------------------------------------------

ROOT_CA, REGION, ZONE = CHAIN.certificates[:3]
KEYS = {
    ca.subject: made.key
    for ca, made in zip(CHAIN.authorities, development_nitro_pki().chain(NOW), strict=False)
}


def judged(*lists: bytes) -> Check:
    """The line on revocation, under these lists."""
    verdict = judge_offline(attestation(), Trust(root=ROOT, crls=lists), NOW)
    return next(check for check in verdict.checks if check.name == REVOCATION)


def empty(issuer: X509) -> bytes:
    return crl(issuer=issuer.subject, key=KEYS[issuer.subject], serials=())


def test_revocation_is_not_checked_without_a_list() -> None:
    assert judged().result is CheckResult.NOT_CHECKED


def test_revocation_passes_under_the_lists_of_all_issuers_that_publish_one() -> None:
    assert judged(empty(ROOT_CA), empty(REGION)).result is CheckResult.PASS


def test_one_of_two_lists_leaves_revocation_unchecked_and_names_the_missing_issuer() -> None:
    line = judged(empty(ROOT_CA))
    assert line.result is CheckResult.NOT_CHECKED
    assert REGION.common_name in str(line.got)


def test_revoked_authority_fails_the_verdict() -> None:
    """Attack: evidence under a certificate whose key was lost, and which its issuer has revoked."""
    lists = (
        empty(ROOT_CA),
        crl(issuer=REGION.subject, key=KEYS[REGION.subject], serials=(ZONE.serial_number,)),
    )
    assert judged(*lists).result is CheckResult.FAIL
    with pytest.raises(CertificateRevokedError):
        verify_offline(attestation(), Trust(root=ROOT, crls=lists), NOW)


@pytest.mark.parametrize(
    "bad",
    [
        crl(issuer=ROOT_CA.subject, key=development_nitro_pki().key("forger")),
        crl(issuer=ROOT_CA.subject, key=KEYS[ROOT_CA.subject], end=NOW - 1),
        b"no list",
    ],
    ids=["forged", "lapsed", "no list"],
)
def test_list_that_does_not_count_fails_the_line(bad: bytes) -> None:
    assert judged(empty(REGION), bad).result is CheckResult.FAIL


def test_list_of_an_issuer_outside_the_chain_fails_the_line() -> None:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "another region")])
    start, end = (datetime.fromtimestamp(NOW + by, UTC) for by in (-60, 60))
    builder = x509.CertificateRevocationListBuilder().issuer_name(name)
    foreign = builder.last_update(start).next_update(end).sign(ISSUER_KEY, hashes.SHA384())
    assert judged(foreign.public_bytes(Encoding.DER)).result is CheckResult.FAIL
