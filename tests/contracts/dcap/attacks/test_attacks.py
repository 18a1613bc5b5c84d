"""Attacks on the DCAP verifier that worked elsewhere, each by its name; README.md maps all of them to tests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from web3.contract import Contract

from tests.contracts.dcap.attacks.forgery import (
    ATTACKER,
    P256_ORDER,
    certificate_of,
    genuine_pck,
    key_id,
    low_s_twin,
    resigned,
)
from tests.support.chain import Anvil, Chain, Reverted
from tests.support.dcap import submit_all
from xmtp_tee.attestation.dcap.errors import CollateralFormError
from xmtp_tee.attestation.dcap.evidence import known_platform_evidence, new_platform_evidence
from xmtp_tee.attestation.dcap.submissions import plan_submissions, signer_index
from xmtp_tee.attestation.dcap.tcb_info import compact_tcb_info
from xmtp_tee.attestation.simulator import (
    CollateralRecipe,
    Platform,
    QeIdentityRecipe,
    QeLevel,
    QuoteRecipe,
    TcbInfoRecipe,
    TdRecipe,
    development_pki,
    development_root_certificate,
)
from xmtp_tee.attestation.simulator.pki import Issued
from xmtp_tee.attestation.verify import verify_quote
from xmtp_tee.errors import XmtpTeeError

NOW = 1_760_000_000
ISSUED = NOW - 1000
DAY = 86_400
PKI = development_pki()
COMPACT_TDX_4 = 1240
"""Bytes of a compact quote of version 4."""


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    with Anvil(timestamp=NOW) as anvil:
        yield Chain(anvil)


@pytest.fixture(scope="module")
def deployed(chain: Chain) -> Contract:
    chain.know("IDcapVerifier", "CollateralReader", "CertificateReader")
    chain.know("Der", "DerEcdsaSignature", "DerExtension", "DerTime", "X509", "Crl", "PckExtension")
    return chain.deploy("DcapVerifier", PKI.root.der, 0)


@pytest.fixture
def empty(chain: Chain, deployed: Contract) -> Iterator[Contract]:
    """A verifier that knows its root and nothing else."""
    snapshot = chain.snapshot()
    yield deployed
    chain.revert_to(snapshot)


@pytest.fixture
def verifier(chain: Chain, empty: Contract) -> Contract:
    """A verifier that has the development PKI's collateral."""
    submit_all(chain, empty, CollateralRecipe().build(ISSUED))
    return empty


def new(recipe: QuoteRecipe | None = None) -> bytes:
    """Evidence that brings its certificate, without the router's byte."""
    return new_platform_evidence((recipe or QuoteRecipe()).build())[1:]


def known(recipe: QuoteRecipe | None = None) -> bytes:
    return known_platform_evidence((recipe or QuoteRecipe()).build())[1:]


def refused(chain: Chain, function: Any) -> str:
    with pytest.raises(Reverted) as refusal:
        chain.call(function)
    assert refusal.value.name, "a refusal without a typed error"
    assert not refusal.value.name.startswith("0x"), f"an unknown error {refusal.value}"
    return refusal.value.name


def report_of(chain: Chain, verifier: Contract, evidence: bytes) -> dict[str, Any]:
    """The report of a call, by the names of its fields."""
    answer = chain.call(verifier.functions.verify(evidence))
    (output,) = verifier.get_function_by_name("verify").abi["outputs"]
    names = [component["name"] for component in output["components"]]
    return dict(zip(names, answer, strict=True))


def handle_of(chain: Chain, verifier: Contract, evidence: bytes) -> Any:
    return verifier.functions.judgePlatform(report_of(chain, verifier, evidence)["platform"])


# --- no evidence at all ----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 96, 97, 128, 129, 130, 632, 1337, 1369, 1400, 8000])
@pytest.mark.parametrize("form", [0, 1, 2, 255])
def test_x9_zero_bytes_are_no_quote(chain: Chain, verifier: Contract, size: int, form: int) -> None:
    """X9: 128 zero bytes were taken for a TDX quote."""
    zeros = bytes(size)
    bent = bytes([form]) + zeros[1:] if zeros else zeros
    assert refused(chain, verifier.functions.verify(bent)) in {
        "EvidenceTooShort",
        "EvidenceFormUnsupported",
        "QuoteVersionUnsupported",
        "DerTruncated",
        "DerTagMismatch",
    }


def test_empty_key_and_words_name_no_platform(chain: Chain, verifier: Contract) -> None:
    """A record that does not exist reads as zeros; zeros must not find it."""
    evidence = known()
    head = len(evidence) - COMPACT_TDX_4
    bent = b"\0" * head + evidence[head:]
    assert refused(chain, verifier.functions.verify(bent)) == "PckUnknown"


def test_every_byte_that_names_the_platform_counts(chain: Chain, verifier: Contract) -> None:
    """Key and words of a recorded platform, one bit changed: another platform, which nobody verified."""
    chain.send(verifier.functions.verify(new()))
    evidence = known()
    chain.call(verifier.functions.verify(evidence))
    head = len(evidence) - COMPACT_TDX_4
    mutants = []
    for position in range(1, head):
        bent = bytearray(evidence)
        bent[position] ^= 0x80
        mutants.append(verifier.functions.verify(bytes(bent)))
    outcomes = list(chain.outcomes(mutants))
    assert len(outcomes) == head - 1
    for position, outcome in enumerate(outcomes, 1):
        assert isinstance(outcome, Reverted), f"accepted with byte {position} changed"
        assert outcome.name == "PckUnknown", f"byte {position}: {outcome}"


# --- chains ----------------------------------------------------------------------------------------


def test_forged_chain_with_the_genuine_key_id_is_refused(chain: Chain, verifier: Contract) -> None:
    """The CA's key id and name are copied; the signature is the attacker's."""
    forged = resigned(genuine_pck(), ATTACKER.platform_ca.key)
    recipe = QuoteRecipe(pck=forged)
    assert refused(chain, verifier.functions.verify(new(recipe))) == "SignatureInvalid"


@pytest.mark.parametrize("authority", [None, bytes(20), b"\7" * 20], ids=["none", "zero", "other"])
def test_chain_whose_authority_key_id_does_not_match_is_refused(
    chain: Chain, verifier: Contract, authority: bytes | None
) -> None:
    """Others skipped the signature when no issuer with that key id was found, and accepted."""
    forged = resigned(genuine_pck(), ATTACKER.platform_ca.key, authority=authority)
    # The encoder refuses some of these; an attacker has an encoder of their own.
    head = b"\1" + len(forged.der).to_bytes(2, "big") + forged.der
    for function in (
        verifier.functions.verify(head + new()[-COMPACT_TDX_4:]),
        verifier.functions.submitPckCertificate(forged.der),
    ):
        assert refused(chain, function) == "IssuerUnknown"


def test_self_signed_intermediate_is_refused(chain: Chain, empty: Contract) -> None:
    own = ATTACKER.key("own ca")
    template = PKI.platform_ca
    subject = template.certificate.subject
    forged_id = key_id(resigned(template, own, subject_key=own))
    cases = {
        "its own issuer": (
            resigned(template, own, subject_key=own, issuer=subject, authority=forged_id),
            "NotIssuedByRoot",
        ),
        "the root's key id": (
            resigned(template, own, subject_key=own, issuer=subject),
            "IssuerMismatch",
        ),
        "the root's key id and name": (
            resigned(template, own, subject_key=own),
            "SignatureInvalid",
        ),
        "no authority key id": (
            resigned(template, own, subject_key=own, authority=None),
            "NotIssuedByRoot",
        ),
        "another root": (ATTACKER.platform_ca, "NotIssuedByRoot"),
    }
    for name, (forged, error) in cases.items():
        submit = empty.functions.submitIntermediateCa(forged.der)
        assert refused(chain, submit) == error, name


def test_root_of_an_attacker_is_no_intermediate(chain: Chain, empty: Contract) -> None:
    submit = empty.functions.submitIntermediateCa(ATTACKER.root.der)
    assert refused(chain, submit) == "NotIssuedByRoot"


def test_leaf_used_as_ca_is_refused(chain: Chain, verifier: Contract) -> None:
    """Whoever owns one platform's certificate would speak for every platform."""
    leaf = PKI.issue_pck(label="attackers own platform")
    victim = PKI.issue_pck(Platform(ppid=b"\1" * 16), label="victim", issuer=leaf)
    recipe = QuoteRecipe(pck=victim, issuer=leaf)
    assert refused(chain, verifier.functions.verify(new(recipe))) == "IssuerUnknown"
    for submit in (verifier.functions.submitIntermediateCa, verifier.functions.submitTcbSigner):
        assert refused(chain, submit(leaf.der)) == "NotIssuedByRoot"


def test_tcb_signer_used_as_ca_is_refused(chain: Chain, verifier: Contract) -> None:
    forged = PKI.issue_pck(label="victim", issuer=PKI.tcb_signer)
    recipe = QuoteRecipe(pck=forged, issuer=PKI.tcb_signer)
    assert refused(chain, verifier.functions.verify(new(recipe))) == "AuthorityRoleMismatch"
    submit = verifier.functions.submitIntermediateCa(PKI.tcb_signer.der)
    assert refused(chain, submit) == "BasicConstraintsMismatch"


def test_root_used_as_pck_ca_is_refused(chain: Chain, verifier: Contract) -> None:
    forged = PKI.issue_pck(label="victim", issuer=PKI.root)
    recipe = QuoteRecipe(pck=forged, issuer=PKI.root)
    assert refused(chain, verifier.functions.verify(new(recipe))) == "IssuerUnknown"


def test_swapped_issuers_are_refused(chain: Chain, verifier: Contract) -> None:
    """Name of one CA, key id of the other, in both directions, signed by either."""
    chain.send(verifier.functions.submitIntermediateCa(PKI.processor_ca.der))
    first, second = PKI.platform_ca, PKI.processor_ca
    for named, keyed in ((first, second), (second, first)):
        for signer in (first, second):
            forged = resigned(
                genuine_pck(),
                signer.key,
                issuer=named.certificate.subject,
                authority=key_id(keyed),
            )
            evidence = new(QuoteRecipe(pck=forged))
            assert refused(chain, verifier.functions.verify(evidence)) == "IssuerMismatch"


# --- time ------------------------------------------------------------------------------------------


def recorded(chain: Chain, verifier: Contract, recipe: QuoteRecipe) -> list[Any]:
    """A platform that has been verified: every way to use it again without its certificate."""
    chain.send(verifier.functions.verify(new(recipe)))
    again = verifier.functions.verify(known(recipe))
    functions = [handle_of(chain, verifier, known(recipe)), again]
    for function in functions:
        chain.call(function)
    return functions


def test_cached_leaf_does_not_outlive_its_certificate(chain: Chain, verifier: Contract) -> None:
    """Others verified a certificate once and never asked the clock again."""
    end = NOW + DAY
    recipe = QuoteRecipe(pck=PKI.issue_pck(not_after=end))
    functions = recorded(chain, verifier, recipe)
    chain.warp(end - 5)
    for function in functions:
        chain.call(function)
    chain.warp(end + 10)
    for function in functions:
        assert refused(chain, function) == "CertificateExpired"


def with_authority(chain: Chain, verifier: Contract, function: str, authority: Issued) -> None:
    """The usual collateral, but for one authority, whose certificate is ``authority``."""
    for step in plan_submissions(CollateralRecipe().build(ISSUED)):
        arguments = (authority.der,) if step.function == function else step.arguments
        chain.send(verifier.get_function_by_name(step.function)(*arguments))


def test_cached_leaf_does_not_outlive_its_ca(chain: Chain, empty: Contract) -> None:
    end = NOW + DAY
    name = PKI.platform_ca.certificate.subject.rfc4514_string()
    ca = PKI.issue_ca("platform-ca", "XMTP TEE Development PCK Platform CA", not_after=end)
    assert ca.certificate.subject.rfc4514_string() == name
    with_authority(chain, empty, "submitIntermediateCa", ca)
    functions = recorded(chain, empty, QuoteRecipe())
    chain.warp(end + 10)
    for function in (*functions, empty.functions.verify(new())):
        assert refused(chain, function) == "AuthorityExpired"


def test_stored_collateral_does_not_outlive_its_signer(chain: Chain, empty: Contract) -> None:
    end = NOW + DAY
    with_authority(chain, empty, "submitTcbSigner", PKI.issue_tcb_signer(not_after=end))
    functions = recorded(chain, empty, QuoteRecipe())
    chain.warp(end + 10)
    for function in functions:
        assert refused(chain, function) == "AuthorityExpired"


def test_expired_ca_signs_nothing_more(chain: Chain, empty: Contract) -> None:
    ca = PKI.issue_ca("short", "Short", not_after=NOW + DAY)
    chain.send(empty.functions.submitIntermediateCa(ca.der))
    chain.warp(NOW + DAY + 10)
    leaf = PKI.issue_pck(issuer=ca)
    crl = PKI.crl(ca, this_update=ISSUED, next_update=NOW + 20 * DAY)
    for function in (
        empty.functions.submitPckCertificate(leaf.der),
        empty.functions.submitCrl(crl),
    ):
        assert refused(chain, function) == "AuthorityExpired"


def test_milliseconds_are_not_seconds(chain: Chain, verifier: Contract) -> None:
    """Others compared a date in milliseconds with a clock in seconds: nothing ever lapsed."""
    collateral = CollateralRecipe().build(ISSUED)
    with pytest.raises((XmtpTeeError, ValueError)):
        verify_quote(QuoteRecipe().build(), collateral, development_root_certificate(), NOW * 1000)
    # Every stored date is a second: at nextUpdate the collateral is gone.
    functions = recorded(chain, verifier, QuoteRecipe())
    chain.warp(ISSUED + 30 * DAY + 1)
    for function in functions:
        assert refused(chain, function) in {"CrlExpired", "TcbInfoLapsed"}
    # A date in milliseconds exceeds the 40 bits that the compact form has for one.
    assert NOW * 1000 >= 2**40


# --- revocation ------------------------------------------------------------------------------------


def newer_crl(issuer: Issued, *serials: int, number: int = 2) -> bytes:
    return PKI.crl(
        issuer,
        this_update=ISSUED + number,
        next_update=ISSUED + 20 * DAY,
        revoked=serials,
        number=number,
    )


def test_revoked_certificate_does_not_return_as_its_low_s_twin(
    chain: Chain, verifier: Contract
) -> None:
    """Others keyed a revocation by bytes that hold the signature, which has two forms."""
    leaf = genuine_pck()
    twin = certificate_of(low_s_twin(leaf.der), leaf)
    assert twin.der != leaf.der
    first = report_of(chain, verifier, new(QuoteRecipe(pck=leaf)))
    assert report_of(chain, verifier, new(QuoteRecipe(pck=twin))) == first
    crl = newer_crl(PKI.platform_ca, leaf.certificate.serial_number)
    chain.send(verifier.functions.submitCrl(crl))
    for certificate in (leaf, twin):
        evidence = new(QuoteRecipe(pck=certificate))
        assert refused(chain, verifier.functions.verify(evidence)) == "CertificateRevoked"


def test_low_s_twin_of_a_quote_is_the_same_attestation(chain: Chain, verifier: Contract) -> None:
    """Signatures have two forms, so nothing here may depend on a hash of evidence."""
    evidence = new()
    expected = report_of(chain, verifier, evidence)
    start = len(evidence) - COMPACT_TDX_4
    for offset in (48 + 584 + 32, 48 + 584 + 64 + 64 + 384 + 32):
        s = int.from_bytes(evidence[start + offset : start + offset + 32], "big")
        twin = (P256_ORDER - s).to_bytes(32, "big")
        bent = evidence[: start + offset] + twin + evidence[start + offset + 32 :]
        assert bent != evidence
        assert report_of(chain, verifier, bent) == expected


def test_shorter_list_does_not_lift_a_revocation(chain: Chain, verifier: Contract) -> None:
    functions = recorded(chain, verifier, QuoteRecipe())
    serial = genuine_pck().certificate.serial_number
    chain.send(verifier.functions.submitCrl(newer_crl(PKI.platform_ca, serial)))
    chain.send(verifier.functions.submitCrl(newer_crl(PKI.platform_ca, number=3)))
    for function in (*functions, verifier.functions.verify(new())):
        assert refused(chain, function) == "CertificateRevoked"


def test_renewed_ca_does_not_lift_its_revocation(chain: Chain, verifier: Contract) -> None:
    """The CA's certificate is revoked; the root certifies the same key again."""
    functions = recorded(chain, verifier, QuoteRecipe())
    serial = PKI.platform_ca.certificate.serial_number
    chain.send(verifier.functions.submitCrl(newer_crl(PKI.root, serial)))
    for function in functions:
        assert refused(chain, function) == "AuthorityRevoked"
    renewed = resigned(PKI.platform_ca, PKI.root.key)
    submit = verifier.functions.submitIntermediateCa(renewed.der)
    assert refused(chain, submit) in {"AuthorityRevoked", "CertificateRevoked"}


def test_processor_ca_has_a_list_of_its_own(chain: Chain, verifier: Contract) -> None:
    """Others never looked at the Processor CA's list."""
    ca = PKI.processor_ca
    leaf = PKI.issue_pck(issuer=ca)
    evidence = new(QuoteRecipe(pck=leaf, issuer=ca))
    verify = verifier.functions.verify(evidence)
    chain.send(verifier.functions.submitIntermediateCa(ca.der))
    assert refused(chain, verify) == "CrlMissing"
    chain.send(verifier.functions.submitCrl(newer_crl(ca)))
    chain.call(verify)
    # The same serial number in the other CA's list says nothing of this certificate.
    serial = leaf.certificate.serial_number
    chain.send(verifier.functions.submitCrl(newer_crl(PKI.platform_ca, serial)))
    chain.call(verify)
    chain.send(verifier.functions.submitCrl(newer_crl(ca, serial, number=3)))
    assert refused(chain, verify) == "CertificateRevoked"


@pytest.mark.parametrize("issuer", ["root", "platform_ca"])
def test_list_signed_by_another_is_refused(chain: Chain, verifier: Contract, issuer: str) -> None:
    """An empty list under the CA's name, to hide a revocation or to outlive the real one."""
    genuine = getattr(PKI, issuer)
    forged = PKI.crl(
        genuine,
        this_update=ISSUED + 5,
        next_update=NOW + 400 * DAY,
        number=9,
        signer=getattr(ATTACKER, issuer),
    )
    assert refused(chain, verifier.functions.submitCrl(forged)) == "SignatureInvalid"


def test_longer_list_costs_a_verification_nothing(chain: Chain, verifier: Contract) -> None:
    """Elsewhere a check cost 667,000 gas at 44 entries and 20,400,000 at 129."""
    chain.send(verifier.functions.verify(new()))
    costs = set()
    for number, entries in enumerate((0, 44, 129), 2):
        crl = newer_crl(PKI.platform_ca, *range(1000, 1000 + entries), number=number)
        chain.send(verifier.functions.submitCrl(crl))
        costs.add(chain.send(verifier.functions.verify(known()))["gasUsed"])
    assert len(costs) == 1, costs


# --- collateral ------------------------------------------------------------------------------------


def signed(text: str, signer: Issued = PKI.tcb_signer) -> tuple[bytes, bytes, bytes, int]:
    signature = signer.sign(text.encode())
    index = signer_index(PKI.tcb_signer.certificate)
    return compact_tcb_info(text), signature[:32], signature[32:], index


def test_revoked_quoting_enclave_is_no_success_before_the_signatures(
    chain: Chain, empty: Contract
) -> None:
    """Others answered "revoked", as a success, before they looked at any signature."""
    identity = QeIdentityRecipe(levels=(QeLevel(status="Revoked"),))
    submit_all(chain, empty, CollateralRecipe(qe_identity=identity).build(ISSUED))
    forged = QuoteRecipe(quote_signer=ATTACKER.key("x"))
    verify = empty.functions.verify
    assert refused(chain, verify(new(forged))) == "QuoteSignatureInvalid"
    forged = QuoteRecipe(qe_report_signer=ATTACKER.key("x"))
    assert refused(chain, verify(new(forged))) == "QeReportSignatureInvalid"
    assert refused(chain, verify(new())) == "TcbRevoked"


@pytest.mark.parametrize("signer", ["platform_ca", "root", "leaf", "attacker"])
def test_collateral_signed_by_the_wrong_certificate_is_refused(
    chain: Chain, verifier: Contract, signer: str
) -> None:
    wrong = {
        "platform_ca": PKI.platform_ca,
        "root": PKI.root,
        "leaf": genuine_pck(),
        "attacker": ATTACKER.tcb_signer,
    }[signer]
    text = TcbInfoRecipe(evaluation_number=99).text(ISSUED + 1, ISSUED + 20 * DAY)
    compact, r, s, index = signed(text, wrong)
    submit = verifier.functions.submitTcbInfo(compact, r, s, index)
    assert refused(chain, submit) == "CollateralSignatureInvalid"
    own = verifier.functions.submitTcbInfo(compact, r, s, key_id(wrong)[0])
    expected = {"AuthorityRoleMismatch"}
    if key_id(wrong)[0] == index:
        expected = {"CollateralSignatureInvalid"}
    assert refused(chain, own) in expected


def test_collateral_made_shorter_breaks_its_signature(chain: Chain, verifier: Contract) -> None:
    """Without its last levels or modules, the rest would judge a platform that the whole judges otherwise."""
    whole = TcbInfoRecipe(evaluation_number=18)
    times = (ISSUED + 1, ISSUED + 20 * DAY)
    _, r, s, index = signed(whole.text(*times))
    assert whole.module_identities is not None
    for shorter in (
        replace(whole, levels=whole.levels[:1]),
        replace(whole, levels=whole.levels[1:]),
        replace(whole, module_identities=whole.module_identities[:1]),
        replace(whole, module_identities=whole.module_identities[1:]),
        replace(whole, module_identities=None),
    ):
        compact = compact_tcb_info(shorter.text(*times))
        submit = verifier.functions.submitTcbInfo(compact, r, s, index)
        assert refused(chain, submit) == "CollateralSignatureInvalid"
    chain.call(verifier.functions.submitTcbInfo(*signed(whole.text(*times))))


def test_collateral_of_another_family_judges_nothing_here(chain: Chain, empty: Contract) -> None:
    """The TCB info of a family that needs less, for a platform of another."""
    foreign = TcbInfoRecipe(fmspc=b"\1" * 6)
    submit_all(chain, empty, CollateralRecipe(tcb_info=foreign).build(ISSUED))
    assert refused(chain, empty.functions.verify(new())) == "TcbInfoUnknown"
    foreign = TcbInfoRecipe(pce_id=b"\0\1")
    submit_all(chain, empty, CollateralRecipe(tcb_info=foreign).build(ISSUED))
    assert refused(chain, empty.functions.verify(new())) == "TcbInfoUnknown"


def test_older_collateral_does_not_return(chain: Chain, verifier: Contract) -> None:
    """The platform is out of date under the newer TCB info; the older one said up to date."""
    functions = recorded(chain, verifier, QuoteRecipe())
    base = TcbInfoRecipe()
    newer = replace(base, evaluation_number=18, levels=(replace(base.levels[0], pce_svn=12),))
    arguments = signed(newer.text(ISSUED + 1, ISSUED + 20 * DAY))
    chain.send(verifier.functions.submitTcbInfo(*arguments))
    for function in functions:
        assert refused(chain, function) == "TcbLevelNotFound"
    old = verifier.functions.submitTcbInfo(*signed(base.text(ISSUED, ISSUED + 30 * DAY)))
    assert refused(chain, old) == "EvaluationNumberLower"
    # Issued later, of the earlier recovery: Intel serves both for a time.
    early = verifier.functions.submitTcbInfo(*signed(base.text(ISSUED + 9, ISSUED + 30 * DAY)))
    assert refused(chain, early) == "EvaluationNumberLower"
    for function in functions:
        assert refused(chain, function) == "TcbLevelNotFound"


TEXT = TcbInfoRecipe().text(ISSUED, ISSUED + 30 * DAY)
MEMBERS = re.findall(r'"[A-Za-z]+":(?:"[^"]*"|\d+)', TEXT)


@pytest.mark.parametrize("member", sorted(set(MEMBERS)))
def test_text_with_a_member_twice_has_no_compact_form(member: str) -> None:
    """Parsers disagree on which of two equal keys counts, so no such text may be brought."""
    assert compact_tcb_info(TEXT)
    for twice in (f"{member},{member}", f"{member},{member.partition(':')[0]}:0"):
        with pytest.raises(CollateralFormError):
            compact_tcb_info(TEXT.replace(member, twice, 1))


def test_text_in_another_order_has_no_compact_form() -> None:
    document = json.loads(TEXT)
    keys = list(document)
    for index in range(len(keys) - 1):
        order = keys.copy()
        order[index], order[index + 1] = order[index + 1], order[index]
        text = json.dumps({key: document[key] for key in order}, separators=(",", ":"))
        assert json.loads(text) == document
        with pytest.raises(CollateralFormError):
            compact_tcb_info(text)


@pytest.mark.parametrize("form", ["0{}", "+{}", "{}.0", "{}e0", " {}", '"{}"', "-{}"])
def test_number_in_another_form_has_no_compact_form(form: str) -> None:
    for match in re.finditer(r":(\d+)(?=[,}])", TEXT):
        bent = TEXT[: match.start(1)] + form.format(match[1]) + TEXT[match.end(1) :]
        with pytest.raises(CollateralFormError):
            compact_tcb_info(bent)


def test_fields_of_any_report_are_read_alike_on_chain_and_off(
    chain: Chain, verifier: Contract
) -> None:
    """Workload and report data at every byte: each byte of the report set alone."""
    for position in range(64):
        data = bytes(position) + b"\xa5" + bytes(63 - position)
        recipe = QuoteRecipe(td=TdRecipe(report_data=data, mr_td=bytes([position]) * 48))
        report = report_of(chain, verifier, new(recipe))
        verified = verify_quote(
            recipe.build(), CollateralRecipe().build(ISSUED), development_root_certificate(), NOW
        )
        assert report["reportDataHead"] + report["reportDataTail"] == data
        assert report["workload"] == verified.workload


def test_evidence_of_every_truncation_is_refused_with_a_typed_error(
    chain: Chain, verifier: Contract
) -> None:
    for evidence in (new(), known()):
        mutants = [verifier.functions.verify(evidence[:size]) for size in range(len(evidence))]
        for size, outcome in enumerate(chain.outcomes(mutants)):
            assert isinstance(outcome, Reverted), f"accepted at {size} bytes"
            assert outcome.name, f"an untyped refusal at {size} bytes"
            assert not outcome.name.startswith("0x"), f"{size} bytes: {outcome}"


def test_python_refuses_what_the_chain_refuses_of_the_forged_chains() -> None:
    collateral = CollateralRecipe().build(ISSUED)
    leaf = PKI.issue_pck(label="attackers own platform")
    forgeries = {
        "genuine key id": QuoteRecipe(pck=resigned(genuine_pck(), ATTACKER.platform_ca.key)),
        "other key id": QuoteRecipe(
            pck=resigned(genuine_pck(), ATTACKER.platform_ca.key, authority=b"\7" * 20)
        ),
        "leaf as CA": QuoteRecipe(pck=PKI.issue_pck(label="victim", issuer=leaf), issuer=leaf),
        "signer as CA": QuoteRecipe(
            pck=PKI.issue_pck(label="victim", issuer=PKI.tcb_signer), issuer=PKI.tcb_signer
        ),
        "attacker's": QuoteRecipe(pck=ATTACKER.issue_pck(), issuer=ATTACKER.platform_ca),
    }
    verify_quote(QuoteRecipe().build(), collateral, development_root_certificate(), NOW)
    for name, recipe in forgeries.items():
        try:
            verify_quote(recipe.build(), collateral, development_root_certificate(), NOW)
        except XmtpTeeError:
            continue
        pytest.fail(f"accepted: {name}")
