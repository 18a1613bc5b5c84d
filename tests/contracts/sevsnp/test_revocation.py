"""What AMD's revocation lists do on chain: whom a list ends, whose list counts, and what ends a revocation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.contracts.sevsnp import snp_support as snp
from tests.contracts.sevsnp.test_simulated_reports import certificates, cold
from tests.support.chain import Anvil, Chain, Reverted
from xmtp_tee.attestation.sevsnp import evidence as encoder
from xmtp_tee.attestation.sevsnp.product import ProductLine
from xmtp_tee.attestation.sevsnp.report import SigningKey
from xmtp_tee.attestation.simulator import der
from xmtp_tee.attestation.simulator.sevsnp import (
    AmdCrlRecipe,
    EndorsementRecipe,
    SnpReportRecipe,
    development_anchors,
    development_snp_pki,
)
from xmtp_tee.attestation.simulator.sevsnp.pki import AuthorityShape

NOW = 1_780_000_000
MILAN = development_snp_pki()
ARK_SERIAL, ASK_SERIAL, ASVK_SERIAL = (ProductLine.MILAN << 16 | n for n in (0, 1, 0x101))
VCEK, VLEK = (
    SnpReportRecipe(endorsed=EndorsementRecipe(signing_key=kind))
    for kind in (SigningKey.VCEK, SigningKey.VLEK)
)
YEAR = 365 * 24 * 3600


@dataclass
class World:
    chain: Chain
    verifier: Any
    vcek: bytes
    vlek: bytes

    @property
    def functions(self) -> Any:
        return self.verifier.functions

    def submit(self, crl: bytes, ark: bytes | None = None, product: int = snp.MILAN) -> Any:
        return self.functions.submitCrl(product, ark or MILAN.ark().der, crl)

    def revoke(self, *serials: int) -> Any:
        return self.chain.send(self.submit(listing(*serials)))

    def refusal(self, call: Any) -> Reverted:
        with pytest.raises(Reverted) as refused:
            self.chain.call(call)
        return refused.value

    def judgement(self, platform: bytes) -> str:
        """The name of the error with which the platform is refused, empty when it is judged."""
        try:
            self.chain.call(self.functions.judgePlatform(platform))
        except Reverted as refused:
            return refused.name
        return ""


def listing(*serials: int, **changes: Any) -> bytes:
    return AmdCrlRecipe(serials, NOW - 60, NOW + YEAR, **changes).build(MILAN)


@pytest.fixture(scope="module")
def fresh() -> Iterator[World]:
    with Anvil(timestamp=NOW) as anvil:
        chain = Chain(anvil)
        pkis = [MILAN, development_snp_pki(ProductLine.GENOA)]
        verifier = snp.deploy(chain, [snp.root(p.product, 1, certificates(p)) for p in pkis])
        handles = []
        for pki in pkis:
            snp.submit(chain, verifier, pki.product, certificates(pki))
        for recipe in (VCEK, VLEK):
            chain.send(verifier.functions.verify(cold(recipe, witness=True)))
            handles.append(encoder.platform_handle(recipe.build(), development_anchors()))
        yield World(chain, verifier, *handles)


@pytest.fixture
def world(fresh: World) -> Iterator[World]:
    before = fresh.chain.snapshot()
    yield fresh
    fresh.chain.revert_to(before)


# --- whom a list ends -----------------------------------------------------------------------------


def test_revoked_ask_ends_every_platform_below_it_at_the_next_read(world: World) -> None:
    assert (world.judgement(world.vcek), world.judgement(world.vlek)) == ("", "")
    world.revoke(ASK_SERIAL)
    assert world.judgement(world.vcek) == "SignerRevoked"
    assert world.judgement(world.vlek) == ""
    refused = world.refusal(world.functions.judgePlatform(world.vcek))
    assert refused.arguments == (snp.MILAN, False)


def test_revoked_ask_verifies_neither_new_nor_known_platforms(world: World) -> None:
    world.revoke(ASK_SERIAL)
    known = encoder.known_key_evidence(VCEK.build(), development_anchors())[1:]
    for evidence in (cold(VCEK), known):
        assert world.refusal(world.functions.verify(evidence)).name == "SignerRevoked"
    world.chain.call(world.functions.verify(cold(VLEK, witness=True)))


def test_revoked_asvk_ends_providers_keys_alone(world: World) -> None:
    world.revoke(ASVK_SERIAL)
    assert (world.judgement(world.vcek), world.judgement(world.vlek)) == ("", "SignerRevoked")


def test_root_that_revokes_itself_takes_all_below_it_along(world: World) -> None:
    world.revoke(ARK_SERIAL)
    assert world.judgement(world.vcek) == world.judgement(world.vlek) == "SignerRevoked"
    renewed = MILAN.intermediate(SigningKey.VCEK, AuthorityShape(serial=7))
    call = world.functions.submitSigner(snp.MILAN, MILAN.ark().der, renewed.der)
    refused = world.refusal(call)
    assert (refused.name, refused.arguments) == ("SerialIsRevoked", (snp.MILAN, ARK_SERIAL))


def test_serial_number_of_another_certificate_ends_nobody(world: World) -> None:
    receipt = world.revoke(0x7777, 0)
    assert world.chain.call(world.functions.isRevoked(snp.MILAN, 0x7777)) is True
    assert (world.judgement(world.vcek), world.judgement(world.vlek)) == ("", "")
    events = world.verifier.events.SerialRevoked().process_receipt(receipt)
    assert [event["args"]["serial"] for event in events] == [0x7777, 0]


def test_revocation_belongs_to_the_product(world: World) -> None:
    world.revoke(ASK_SERIAL)
    assert world.chain.call(world.functions.isRevoked(snp.MILAN, ASK_SERIAL)) is True
    assert world.chain.call(world.functions.isRevoked(snp.GENOA, ASK_SERIAL)) is False
    genoa = development_snp_pki(ProductLine.GENOA)
    refused = world.refusal(world.submit(listing(ASK_SERIAL), genoa.ark().der, snp.GENOA))
    assert refused.name in {"PssRefused", "RsaSignatureNotBelowModulus"}


def test_later_list_without_it_or_an_older_one_restores_nothing(world: World) -> None:
    world.revoke(ASK_SERIAL)
    world.chain.send(world.submit(listing(number=2)))
    world.chain.send(world.submit(AmdCrlRecipe((), NOW - YEAR, NOW - 60).build(MILAN)))
    assert world.judgement(world.vcek) == "SignerRevoked"


def test_lapsed_list_still_revokes(world: World) -> None:
    lapsed = AmdCrlRecipe((ASK_SERIAL,), NOW - YEAR, NOW - 60).build(MILAN)
    world.chain.send(world.submit(lapsed))
    assert world.judgement(world.vcek) == "SignerRevoked"


def test_list_brought_twice_says_nothing_twice(world: World) -> None:
    world.revoke(ASK_SERIAL)
    receipt = world.revoke(ASK_SERIAL, ASVK_SERIAL)
    events = world.verifier.events.SerialRevoked().process_receipt(receipt)
    assert [event["args"]["serial"] for event in events] == [ASVK_SERIAL]


def test_revoked_certificate_is_not_accepted_later() -> None:
    with Anvil(timestamp=NOW) as anvil:
        chain = Chain(anvil)
        verifier = snp.deploy(chain, [snp.root(snp.MILAN, 1, certificates(MILAN))])
        world = World(chain, verifier, b"", b"")
        world.revoke(ASK_SERIAL)
        ask = MILAN.intermediate(SigningKey.VCEK).der
        refused = world.refusal(verifier.functions.submitSigner(snp.MILAN, MILAN.ark().der, ask))
        assert (refused.name, refused.arguments) == ("SerialIsRevoked", (snp.MILAN, ASK_SERIAL))


def test_certificate_that_the_root_issued_anew_for_the_key_takes_its_place(world: World) -> None:
    with Anvil(timestamp=NOW) as anvil:
        chain = Chain(anvil)
        verifier = snp.deploy(chain, [snp.root(snp.MILAN, 1, certificates(MILAN))])
        anew = World(chain, verifier, world.vcek, b"")

        def submit_signer(shape: AuthorityShape) -> Any:
            der_ = MILAN.intermediate(SigningKey.VCEK, shape).der
            return verifier.functions.submitSigner(snp.MILAN, MILAN.ark().der, der_)

        chain.send(submit_signer(AuthorityShape(not_after=NOW + YEAR)))
        short = SnpReportRecipe(endorsed=EndorsementRecipe(not_after=NOW + 1000))
        chain.send(verifier.functions.verify(cold(short, witness=True)))
        assert anew.judgement(world.vcek) == ""
        anew.revoke(ASK_SERIAL)
        recorded = chain.call(verifier.functions.signerOf(snp.MILAN, False))
        assert (recorded[2], recorded[4]) == (True, ASK_SERIAL)
        assert anew.judgement(world.vcek) == "SignerRevoked"
        # One that does not outlast it is refused, revoked or not.
        lesser = AuthorityShape(serial=9, not_after=NOW + YEAR)
        assert anew.refusal(submit_signer(lesser)).name == "SignerNotNewer"
        chain.send(submit_signer(AuthorityShape(serial=9)))
        assert anew.judgement(world.vcek) == ""
        anew.revoke(9)
        assert anew.judgement(world.vcek) == "SignerRevoked"


# --- whose list counts ----------------------------------------------------------------------------


OTHER_NAME = der.name((der.COMMON_NAME, "ARK-Milan"))
RSA_SHA384 = der.sequence(der.oid("1.2.840.113549.1.1.12"), b"\x05\x00")
DELTA = der.sequence(der.oid("2.5.29.27"), der.boolean(True), der.octets(der.integer(1)))
LISTS: list[tuple[str, bytes, str]] = [
    ("another name", listing(ASK_SERIAL, issuer=OTHER_NAME), "IssuerMismatch"),
    ("a stranger's key", listing(ASK_SERIAL, key=MILAN.rsa("stranger-ark")), "Pss"),
    ("the ASK's key", listing(ASK_SERIAL, key=MILAN.rsa("ask")), "Pss"),
    ("another key id", listing(ASK_SERIAL, key_id=b"\x07" * 20), "IssuerKeyIdMismatch"),
    (
        "another algorithm",
        listing(ASK_SERIAL, algorithm=RSA_SHA384),
        "SignatureAlgorithmUnsupported",
    ),
    ("version 1", listing(ASK_SERIAL, version=0), "CrlVersionUnsupported"),
    ("a delta", listing(ASK_SERIAL, extra=(DELTA,)), "ExtensionCriticalUnknown"),
    (
        "from the future",
        AmdCrlRecipe((ASK_SERIAL,), NOW + 600, NOW + YEAR).build(MILAN),
        "CrlNotYetValid",
    ),
    ("without its end", AmdCrlRecipe((ASK_SERIAL,), NOW - 60, None).build(MILAN), "Der"),
    ("a byte behind it", listing(ASK_SERIAL) + b"\x00", "DerTrailingBytes"),
    ("cut off", listing(ASK_SERIAL)[:-1], "Der"),
    ("nothing", b"", "Der"),
]


@pytest.mark.parametrize(("crl", "reason"), [e[1:] for e in LISTS], ids=[e[0] for e in LISTS])
def test_bad_list_is_refused(world: World, crl: bytes, reason: str) -> None:
    assert world.refusal(world.submit(crl)).name.startswith(
        (reason, "RsaSignatureNotBelowModulus") if reason == "Pss" else reason
    )


@pytest.mark.parametrize(
    "changes", [{"number": None}, {"key_id": None}, {"number": None, "key_id": None}]
)
def test_extensions_may_be_absent(world: World, changes: dict[str, Any]) -> None:
    world.chain.send(world.submit(listing(ASK_SERIAL, **changes)))
    assert world.judgement(world.vcek) == "SignerRevoked"


def test_root_that_may_not_sign_lists_is_refused(world: World) -> None:
    ark = MILAN.ark(AuthorityShape(key_usage=(b"\x04", 1))).der
    assert world.refusal(world.submit(listing(ASK_SERIAL), ark)).name == "CrlSignMissing"


def test_certificate_of_another_root_is_refused(world: World) -> None:
    ark = MILAN.ark(AuthorityShape(key_label="stranger-ark")).der
    assert world.refusal(world.submit(listing(ASK_SERIAL), ark)).name == "PinnedKeyMismatch"
    genoa = development_snp_pki(ProductLine.GENOA).ark().der
    assert world.refusal(world.submit(listing(ASK_SERIAL), genoa)).name == "PinnedKeyMismatch"


def test_no_tampered_list_is_accepted(world: World) -> None:
    crl = listing(ASK_SERIAL)
    for at in range(0, len(crl), 23):
        changed = crl[:at] + bytes([crl[at] ^ 1]) + crl[at + 1 :]
        world.refusal(world.submit(changed))


def test_list_of_fifty_fits_into_a_transaction(world: World) -> None:
    receipt = world.revoke(*range(0x9000, 0x9032))
    assert receipt["gasUsed"] < 4_500_000
