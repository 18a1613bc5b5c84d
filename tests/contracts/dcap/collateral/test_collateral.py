"""The collateral store: only what Intel's signer signed, only forwards, only while it counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from web3.contract import Contract

from tests.support.chain import Anvil, Chain, Reverted
from tests.support.dcap import intel_root, phala_collateral, submit_all
from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.dcap.qe_identity import compact_qe_identity
from xmtp_tee.attestation.dcap.submissions import plan_submissions
from xmtp_tee.attestation.dcap.tcb_info import compact_tcb_info
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.simulator import (
    CollateralRecipe,
    DevelopmentPki,
    QeIdentityRecipe,
    TcbInfoRecipe,
    development_pki,
)

NOW = 1_760_000_000
DAY = 86_400
GRACE = 3 * DAY
INFO = TcbInfoRecipe()
IDENTITY = QeIdentityRecipe()


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    with Anvil(timestamp=NOW) as anvil:
        yield Chain(anvil)


@pytest.fixture(scope="module")
def prepared(chain: Chain) -> Contract:
    """A verifier that knows the signer, the CAs and both CRLs, but no collateral."""
    chain.know("IDcapVerifier", "CollateralReader", "CertificateReader")
    verifier = chain.deploy("DcapVerifier", development_pki().root.der, GRACE)
    collateral = CollateralRecipe(lifetime=60 * DAY).build(NOW - 40 * DAY)
    for step in plan_submissions(collateral)[:4]:
        chain.send(verifier.get_function_by_name(step.function)(*step.arguments))
    return verifier


@pytest.fixture
def verifier(chain: Chain, prepared: Contract) -> Iterator[Contract]:
    snapshot = chain.snapshot()
    yield prepared
    chain.revert_to(snapshot)


def signer_index() -> int:
    return index_of(development_pki(), "tcb")


def index_of(pki: DevelopmentPki, which: str) -> int:
    from xmtp_tee.attestation.dcap.submissions import signer_index as index

    return index((pki.tcb_signer if which == "tcb" else pki.platform_ca).certificate)


def info_arguments(
    recipe: TcbInfoRecipe = INFO,
    issued: int = NOW - DAY,
    due: int = NOW + 29 * DAY,
    pki: DevelopmentPki | None = None,
) -> tuple[bytes, bytes, bytes, int]:
    text = recipe.text(issued, due)
    signature = (pki or development_pki()).tcb_signer.sign(text.encode())
    return compact_tcb_info(text), signature[:32], signature[32:], signer_index()


def identity_arguments(
    recipe: QeIdentityRecipe = IDENTITY, issued: int = NOW - DAY, due: int = NOW + 29 * DAY
) -> tuple[bytes, bytes, bytes, int]:
    text = recipe.text(issued, due)
    signature = development_pki().tcb_signer.sign(text.encode())
    return compact_qe_identity(text), signature[:32], signature[32:], signer_index()


def refusal(chain: Chain, function: object) -> Reverted:
    with pytest.raises(Reverted) as refused:
        chain.call(function)
    return refused.value


def numbered(number: int) -> TcbInfoRecipe:
    return replace(INFO, evaluation_number=number)


# --- stored ----------------------------------------------------------------------------------------


def test_what_is_stored_can_be_read(chain: Chain, verifier: Contract) -> None:
    view = verifier.functions.tcbInfo(TeeKind.TDX, INFO.fmspc, INFO.pce_id)
    assert refusal(chain, view).name == "TcbInfoUnknown"
    receipt = chain.send(verifier.functions.submitTcbInfo(*info_arguments()))
    record, lapses = view.call()
    assert record[1:] == (NOW - DAY, NOW + 29 * DAY, INFO.evaluation_number, signer_index())
    assert lapses == NOW + 29 * DAY + GRACE
    (event,) = verifier.events.TcbInfoAccepted().process_receipt(receipt)
    assert event["args"] == {
        "tee": TeeKind.TDX,
        "fmspc": INFO.fmspc,
        "pceid": INFO.pce_id,
        "issueDate": NOW - DAY,
        "nextUpdate": NOW + 29 * DAY,
        "evaluationNumber": INFO.evaluation_number,
        "content": record[0],
    }


def test_the_qe_identity_can_be_read(chain: Chain, verifier: Contract) -> None:
    view = verifier.functions.qeIdentity(TeeKind.TDX)
    assert refusal(chain, view).name == "QeIdentityUnknown"
    receipt = chain.send(verifier.functions.submitQeIdentity(*identity_arguments()))
    record, lapses = view.call()
    assert record[1:3] == (NOW - DAY, NOW + 29 * DAY)
    assert lapses == NOW + 29 * DAY + GRACE
    (event,) = verifier.events.QeIdentityAccepted().process_receipt(receipt)
    assert event["args"]["content"] == record[0]
    assert refusal(chain, verifier.functions.qeIdentity(TeeKind.SGX)).name == "QeIdentityUnknown"


def test_a_stranger_may_submit(chain: Chain, verifier: Contract) -> None:
    stranger = chain.accounts[7]
    chain.send(verifier.functions.submitTcbInfo(*info_arguments()), sender=stranger)


def test_pce_ids_are_kept_apart(chain: Chain, verifier: Contract) -> None:
    other = replace(INFO, pce_id=b"\x00\x01")
    chain.send(verifier.functions.submitTcbInfo(*info_arguments(other)))
    assert verifier.functions.tcbInfo(TeeKind.TDX, INFO.fmspc, b"\x00\x01").call()
    view = verifier.functions.tcbInfo(TeeKind.TDX, INFO.fmspc, b"\x00\x00")
    assert refusal(chain, view).name == "TcbInfoUnknown"


def test_a_refresh_keeps_the_content_and_costs_little(chain: Chain, verifier: Contract) -> None:
    first = chain.send(verifier.functions.submitTcbInfo(*info_arguments(issued=NOW - 2 * DAY)))
    view = verifier.functions.tcbInfo(TeeKind.TDX, INFO.fmspc, INFO.pce_id)
    content = view.call()[0][0]
    second = chain.send(verifier.functions.submitTcbInfo(*info_arguments(due=NOW + 30 * DAY)))
    assert view.call()[0][:3] == (content, NOW - DAY, NOW + 30 * DAY)
    assert second["gasUsed"] < first["gasUsed"] - 70_000

    changed = replace(INFO, evaluation_number=18, levels=INFO.levels[:1])
    chain.send(verifier.functions.submitTcbInfo(*info_arguments(changed)))
    assert view.call()[0][0] != content


def test_what_is_in_force_may_be_submitted_again(chain: Chain, verifier: Contract) -> None:
    arguments = info_arguments()
    chain.send(verifier.functions.submitTcbInfo(*arguments))
    receipt = chain.send(verifier.functions.submitTcbInfo(*arguments))
    assert receipt["logs"] == []


# --- only forwards ---------------------------------------------------------------------------------


def test_an_older_issue_is_refused(chain: Chain, verifier: Contract) -> None:
    chain.send(verifier.functions.submitTcbInfo(*info_arguments()))
    older = info_arguments(issued=NOW - DAY - 1)
    refused = refusal(chain, verifier.functions.submitTcbInfo(*older))
    assert (refused.name, refused.arguments) == ("CollateralOlder", (NOW - DAY - 1, NOW - DAY))


def test_an_earlier_recovery_is_refused_though_issued_later(
    chain: Chain, verifier: Contract
) -> None:
    chain.send(verifier.functions.submitTcbInfo(*info_arguments(numbered(18))))
    later = info_arguments(numbered(17), issued=NOW - 1)
    refused = refusal(chain, verifier.functions.submitTcbInfo(*later))
    assert (refused.name, refused.arguments) == ("EvaluationNumberLower", (17, 18))


def test_a_later_recovery_issued_earlier_is_refused(chain: Chain, verifier: Contract) -> None:
    chain.send(verifier.functions.submitTcbInfo(*info_arguments(numbered(17))))
    earlier = info_arguments(numbered(18), issued=NOW - 2 * DAY)
    refused = refusal(chain, verifier.functions.submitTcbInfo(*earlier))
    assert refused.name == "CollateralOlder"


def test_a_later_recovery_of_the_same_second_is_taken(chain: Chain, verifier: Contract) -> None:
    chain.send(verifier.functions.submitTcbInfo(*info_arguments(numbered(17))))
    chain.send(verifier.functions.submitTcbInfo(*info_arguments(numbered(18))))
    refused = refusal(chain, verifier.functions.submitTcbInfo(*info_arguments(numbered(17))))
    assert refused.name == "EvaluationNumberLower"


def test_the_qe_identity_only_moves_forwards(chain: Chain, verifier: Contract) -> None:
    newer = replace(IDENTITY, evaluation_number=18)
    chain.send(verifier.functions.submitQeIdentity(*identity_arguments(newer)))
    submit = verifier.functions.submitQeIdentity
    assert refusal(chain, submit(*identity_arguments())).name == "EvaluationNumberLower"
    older = identity_arguments(newer, issued=NOW - 2 * DAY)
    assert refusal(chain, submit(*older)).name == "CollateralOlder"


# --- time ------------------------------------------------------------------------------------------


def test_collateral_from_the_future_is_refused(chain: Chain, verifier: Contract) -> None:
    late = info_arguments(issued=NOW + DAY)
    refused = refusal(chain, verifier.functions.submitTcbInfo(*late))
    assert refused.name == "CollateralFromFuture"
    assert refused.arguments[0] == NOW + DAY


def test_lapsed_collateral_is_refused_and_grace_counts(chain: Chain, verifier: Contract) -> None:
    in_grace = info_arguments(issued=NOW - 30 * DAY, due=NOW - 2 * DAY)
    chain.call(verifier.functions.submitTcbInfo(*in_grace))
    lapsed = info_arguments(issued=NOW - 30 * DAY, due=NOW - 4 * DAY)
    refused = refusal(chain, verifier.functions.submitTcbInfo(*lapsed))
    assert (refused.name, refused.arguments[0]) == ("CollateralLapsed", NOW - 4 * DAY)


@pytest.mark.parametrize("due", [NOW - DAY, NOW - DAY - 1, 2**32])
def test_impossible_dates_are_refused(chain: Chain, verifier: Contract, due: int) -> None:
    refused = refusal(chain, verifier.functions.submitTcbInfo(*info_arguments(due=due)))
    assert (refused.name, refused.arguments) == ("CollateralDatesImpossible", (NOW - DAY, due))


# --- who signed ------------------------------------------------------------------------------------


def test_another_keys_signature_is_refused(chain: Chain, verifier: Contract) -> None:
    forged = info_arguments(pki=DevelopmentPki(b"attacker"))
    refused = refusal(chain, verifier.functions.submitTcbInfo(*forged))
    assert refused.name == "CollateralSignatureInvalid"


def test_a_signature_over_another_text_is_refused(chain: Chain, verifier: Contract) -> None:
    compact, r, s, signer = info_arguments()
    for position in range(0, len(compact), 9):
        changed = bytearray(compact)
        changed[position] ^= 1
        with pytest.raises(Reverted):
            chain.call(verifier.functions.submitTcbInfo(bytes(changed), r, s, signer))
    swapped = verifier.functions.submitTcbInfo(compact, s, r, signer)
    assert refusal(chain, swapped).name == "CollateralSignatureInvalid"


def test_reordered_levels_break_the_signature(chain: Chain, verifier: Contract) -> None:
    """The best level of a signed list, moved to another place by the submitter."""
    _, r, s, signer = info_arguments()
    reordered = info_arguments(replace(INFO, levels=INFO.levels[::-1]))[0]
    refused = refusal(chain, verifier.functions.submitTcbInfo(reordered, r, s, signer))
    assert refused.name == "CollateralSignatureInvalid"


def test_a_ca_does_not_sign_collateral(chain: Chain, verifier: Contract) -> None:
    """The Platform CA's key is certified by the same root, for another role."""
    pki = development_pki()
    text = INFO.text(NOW - DAY, NOW + 29 * DAY)
    signature = pki.platform_ca.sign(text.encode())
    submit = verifier.functions.submitTcbInfo(
        compact_tcb_info(text), signature[:32], signature[32:], index_of(pki, "ca")
    )
    assert refusal(chain, submit).name == "AuthorityRoleMismatch"


def test_an_unknown_signer_is_refused(chain: Chain, verifier: Contract) -> None:
    compact, r, s, signer = info_arguments()
    other = verifier.functions.submitTcbInfo(compact, r, s, signer ^ 0x55)
    assert refusal(chain, other).name == "AuthorityRoleMismatch"


def test_a_tcb_info_is_no_qe_identity(chain: Chain, verifier: Contract) -> None:
    with pytest.raises(Reverted):
        chain.call(verifier.functions.submitQeIdentity(*info_arguments()))


# --- Intel's own -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tdx_quote_collateral.json", "sgx_quote_collateral.json"])
def test_intels_collateral_is_accepted_under_intels_root(name: str) -> None:
    collateral = phala_collateral(name)
    with Anvil(timestamp=1_750_500_000) as anvil:
        intel = Chain(anvil)
        verifier = intel.deploy("DcapVerifier", intel_root(), 0)
        gas = submit_all(intel, verifier, collateral)
    assert gas["TCB info"] < 300_000
    assert gas["QE identity"] < 200_000


def test_intels_collateral_is_refused_under_the_development_root(
    chain: Chain, verifier: Contract
) -> None:
    collateral: Collateral = phala_collateral()
    for step in plan_submissions(collateral):
        with pytest.raises(Reverted):
            chain.call(verifier.get_function_by_name(step.function)(*step.arguments))
