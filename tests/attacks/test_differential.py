"""What Python accepts the chain accepts, and the reverse, over bent quotes and bent collateral.

Two independent implementations of one judgement: dcap-qvl with our decisions, and the contracts. The chain's
half is judged by eth_call, so every case starts from the same state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.chain import Anvil, Reverted
from tests.support.chain import Chain as DeployChain
from tests.support.dcap import submit_all
from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.dcap.evidence import new_platform_evidence
from xmtp_tee.attestation.kinds import TcbStatus
from xmtp_tee.attestation.simulator import (
    CollateralRecipe,
    DevelopmentPki,
    Platform,
    QeIdentityRecipe,
    QeLevel,
    QuoteRecipe,
    QuotingEnclave,
    TcbInfoRecipe,
    TcbLevel,
    TdRecipe,
    TdxModuleIdentity,
    TdxModuleLevel,
    development_pki,
    development_root_certificate,
)
from xmtp_tee.attestation.verify import verify_quote
from xmtp_tee.errors import XmtpTeeError

ISSUED_AGO = 3600


@dataclass(frozen=True)
class Judged:
    """Accepted with what is said of workload and platform, or refused; ``why`` reports a disagreement."""

    accepted: bool
    status: int
    workload: bytes
    advisories: bytes = b""
    instance: bytes = b""
    family: bytes = b""
    why: str = ""

    def agrees(self, other: Judged) -> bool:
        return replace(self, why="") == replace(other, why="")


REFUSED = (False, 0, b"")
# Both sides report the status; accepting it is the policy's matter.
ALL_STATUSES = frozenset(TcbStatus) - {TcbStatus.NONE, TcbStatus.REVOKED}


def judge_in_python(quote: bytes, collateral: Collateral, now: int) -> Judged:
    try:
        verified = verify_quote(
            quote, collateral, development_root_certificate(), now, accept=ALL_STATUSES
        )
    except XmtpTeeError as error:
        return Judged(*REFUSED, why=f"{error.code}: {error}")
    return Judged(
        accepted=True,
        status=int(verified.status),
        workload=verified.workload,
        advisories=verified.advisories,
        instance=verified.ppid,
        family=verified.fmspc.ljust(16, b"\0"),
    )


def judge_on_chain(chain: DeployChain, verifier: Any, quote: bytes) -> Judged:
    try:
        # What the encoder refuses nobody can submit: the parser is the same on both sides.
        evidence = new_platform_evidence(quote)
        report = chain.call(verifier.functions.verify(evidence[1:]))
    except XmtpTeeError as error:
        return Judged(*REFUSED, why=f"{error.code}: {error}")
    except Reverted as error:
        return Judged(*REFUSED, why=str(error))
    status, advisories, instance, family = report[5]
    return Judged(
        accepted=True,
        status=status,
        workload=bytes(report[1]),
        advisories=bytes(advisories),
        instance=bytes(instance),
        family=bytes(family),
    )


@pytest.fixture(scope="module")
def chain() -> Iterator[DeployChain]:
    with Anvil() as anvil:
        yield DeployChain(anvil)


@pytest.fixture(scope="module")
def collateral(chain: DeployChain) -> Collateral:
    return CollateralRecipe().build(chain.now - ISSUED_AGO)


@pytest.fixture(scope="module")
def verifier(chain: DeployChain, collateral: Collateral) -> Any:
    deployed = chain.deploy("DcapVerifier", development_root_certificate(), 0)
    submit_all(chain, deployed, collateral)
    return deployed


def require_agreement(in_python: Judged, on_chain: Judged) -> None:
    assert in_python.agrees(on_chain), f"Python: {in_python}\nchain: {on_chain}"


# --- quotes ---------------------------------------------------------------------------------------

_OTHER = DevelopmentPki(b"another seed")
QUOTES: dict[str, tuple[bool, Callable[[], QuoteRecipe]]] = {
    "genuine": (True, QuoteRecipe),
    "padded": (True, lambda: QuoteRecipe(padding=3000)),
    "other measurement": (True, lambda: QuoteRecipe(td=TdRecipe(mr_td=bytes(48)))),
    "other report data": (True, lambda: QuoteRecipe(td=TdRecipe(report_data=b"\7" * 64))),
    "runtime registers": (True, lambda: QuoteRecipe(td=TdRecipe(rtmr=(b"\1" * 48,) * 4))),
    "other auth data": (True, lambda: QuoteRecipe(auth_data=b"\5" * 32)),
    "header user data": (True, lambda: QuoteRecipe(user_data=b"\1" * 20)),
    "debug": (False, lambda: QuoteRecipe(td=TdRecipe(td_attributes=(1 << 28) | 1))),
    "debug group bit 1": (False, lambda: QuoteRecipe(td=TdRecipe(td_attributes=(1 << 28) | 2))),
    "debug group bit 7": (False, lambda: QuoteRecipe(td=TdRecipe(td_attributes=(1 << 28) | 128))),
    "version 3": (False, lambda: QuoteRecipe(version=3)),
    "version 5": (False, lambda: QuoteRecipe(version=5)),
    "key type 3": (False, lambda: QuoteRecipe(attestation_key_type=3)),
    "tee type SGX": (False, lambda: QuoteRecipe(tee_type=0)),
    "other QE vendor": (False, lambda: QuoteRecipe(qe_vendor_id=bytes(16))),
    "other quote signer": (
        False,
        lambda: QuoteRecipe(quote_signer=development_pki().key("somebody else")),
    ),
    "other QE report signer": (
        False,
        lambda: QuoteRecipe(qe_report_signer=development_pki().key("somebody else")),
    ),
    "QE report data": (
        False,
        lambda: QuoteRecipe(quoting_enclave=QuotingEnclave(report_data=bytes(64))),
    ),
    "QE signer": (
        False,
        lambda: QuoteRecipe(quoting_enclave=QuotingEnclave(mr_signer=bytes(32))),
    ),
    "QE product": (False, lambda: QuoteRecipe(quoting_enclave=QuotingEnclave(isv_prod_id=1))),
    "QE too old": (False, lambda: QuoteRecipe(quoting_enclave=QuotingEnclave(isv_svn=3))),
    "QE miscselect": (
        False,
        lambda: QuoteRecipe(quoting_enclave=QuotingEnclave(misc_select=b"\1\0\0\0")),
    ),
    "QE debug": (
        False,
        lambda: QuoteRecipe(
            quoting_enclave=QuotingEnclave(
                attributes=bytes.fromhex("1700000000000000e700000000000000")
            )
        ),
    ),
    "module signer": (False, lambda: QuoteRecipe(td=TdRecipe(mr_signer_seam=b"\1" * 48))),
    "SEAM attributes": (False, lambda: QuoteRecipe(td=TdRecipe(seam_attributes=b"\1" + bytes(7)))),
    "unknown module version": (
        False,
        lambda: QuoteRecipe(td=TdRecipe(tee_tcb_svn=bytes([6, 9, 3]) + bytes(13))),
    ),
    "module out of date": (
        True,
        lambda: QuoteRecipe(td=TdRecipe(tee_tcb_svn=bytes([3, 1, 3]) + bytes(13))),
    ),
    "module below every level": (
        False,
        lambda: QuoteRecipe(td=TdRecipe(tee_tcb_svn=bytes([1, 1, 3]) + bytes(13))),
    ),
    "module version 3": (
        True,
        lambda: QuoteRecipe(td=TdRecipe(tee_tcb_svn=bytes([6, 3, 3]) + bytes(13))),
    ),
    "tdx component below": (
        False,
        lambda: QuoteRecipe(td=TdRecipe(tee_tcb_svn=bytes([6, 1, 1]) + bytes(13))),
    ),
    "platform out of date": (True, lambda: QuoteRecipe(platform=Platform(pce_svn=7))),
    "platform below every level": (False, lambda: QuoteRecipe(platform=Platform(pce_svn=4))),
    "component below every level": (
        False,
        lambda: QuoteRecipe(platform=Platform(tcb_components=(1,) * 16)),
    ),
    "other FMSPC": (False, lambda: QuoteRecipe(platform=Platform(fmspc=b"\1" * 6))),
    "other PCE id": (False, lambda: QuoteRecipe(platform=Platform(pce_id=b"\0\1"))),
    "expired certificate": (
        False,
        lambda: QuoteRecipe(pck=development_pki().issue_pck(not_after=1_740_000_000)),
    ),
    "leaf of another root": (False, lambda: QuoteRecipe(pck=_OTHER.issue_pck())),
    "leaf of the Processor CA": (
        False,
        lambda: QuoteRecipe(issuer=development_pki().processor_ca),
    ),
}


@pytest.mark.parametrize("name", QUOTES)
def test_quote_is_judged_alike_on_chain_and_off(
    chain: DeployChain, verifier: Any, collateral: Collateral, name: str
) -> None:
    accepted, recipe = QUOTES[name]
    quote = recipe().build()
    in_python = judge_in_python(quote, collateral, chain.now)
    on_chain = judge_on_chain(chain, verifier, quote)
    require_agreement(in_python, on_chain)
    assert in_python.accepted is accepted, in_python.why


@pytest.mark.parametrize("size", [0, 1, 31, 33, 64])
def test_auth_data_of_another_length_is_refused_alike(
    chain: DeployChain, verifier: Any, collateral: Collateral, size: int
) -> None:
    """Intel's format leaves the length open; its quoting enclaves use 32 bytes, and nothing else is taken."""
    quote = QuoteRecipe(auth_data=b"\5" * size).build()
    assert not judge_in_python(quote, collateral, chain.now).accepted
    assert not judge_on_chain(chain, verifier, quote).accepted


@given(st.data())
@settings(max_examples=60)
def test_quote_with_a_flipped_bit_is_judged_alike(
    chain: DeployChain, verifier: Any, collateral: Collateral, data: st.DataObject
) -> None:
    """Any bit of the part that the chain sees: header, report, signatures, key, QE report, auth data."""
    quote = bytearray(QuoteRecipe().build())
    # header and report; then, behind the length, signature, key; QE report, its signature, auth data.
    spans = [(0, 632), (636, 636 + 128), (770, 770 + 384 + 64 + 2 + 32)]
    start, end = data.draw(st.sampled_from(spans))
    position = data.draw(st.integers(start, end - 1))
    quote[position] ^= 1 << data.draw(st.integers(0, 7))
    in_python = judge_in_python(bytes(quote), collateral, chain.now)
    require_agreement(in_python, judge_on_chain(chain, verifier, bytes(quote)))


@given(st.integers(0, 4952), st.integers(0, 64))
@settings(max_examples=40)
def test_truncated_or_extended_quote_is_judged_alike(
    chain: DeployChain, verifier: Any, collateral: Collateral, size: int, extra: int
) -> None:
    genuine = QuoteRecipe().build()
    for quote in (genuine[:size], genuine + b"\1" * extra, genuine + bytes(extra)):
        in_python = judge_in_python(quote, collateral, chain.now)
        require_agreement(in_python, judge_on_chain(chain, verifier, quote))


# --- collateral -----------------------------------------------------------------------------------


def level(status: str, **more: Any) -> TcbLevel:
    return TcbLevel(status=status, **more)


_PCK_SERIAL = development_pki().issue_pck().certificate.serial_number
_CA_SERIAL = development_pki().platform_ca.certificate.serial_number
_SIGNER_SERIAL = development_pki().tcb_signer.certificate.serial_number

COLLATERALS: dict[str, tuple[int, Callable[[], CollateralRecipe]]] = {
    # The status that both must report; 0 where both must refuse.
    **{
        f"platform {status.intel_name}": (
            int(status) if status is not TcbStatus.REVOKED else 0,
            lambda status=status: CollateralRecipe(
                tcb_info=TcbInfoRecipe(levels=(level(status.intel_name),))
            ),
        )
        for status in TcbStatus
        if status is not TcbStatus.NONE
    },
    "QE out of date": (
        int(TcbStatus.OUT_OF_DATE),
        lambda: CollateralRecipe(
            qe_identity=QeIdentityRecipe(levels=(QeLevel(status="OutOfDate"),))
        ),
    ),
    "QE revoked": (
        0,
        lambda: CollateralRecipe(qe_identity=QeIdentityRecipe(levels=(QeLevel(status="Revoked"),))),
    ),
    "QE out of date on a platform that needs configuration": (
        int(TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED),
        lambda: CollateralRecipe(
            tcb_info=TcbInfoRecipe(levels=(level("ConfigurationNeeded"),)),
            qe_identity=QeIdentityRecipe(levels=(QeLevel(status="OutOfDate"),)),
        ),
    ),
    "module revoked": (
        0,
        lambda: CollateralRecipe(
            tcb_info=TcbInfoRecipe(
                module_identities=(TdxModuleIdentity(levels=(TdxModuleLevel(status="Revoked"),)),)
            )
        ),
    ),
    "module out of date on a platform that needs hardening": (
        int(TcbStatus.OUT_OF_DATE),
        lambda: CollateralRecipe(
            tcb_info=TcbInfoRecipe(
                levels=(level("SWHardeningNeeded"),),
                module_identities=(
                    TdxModuleIdentity(levels=(TdxModuleLevel(status="OutOfDate"),)),
                ),
            )
        ),
    ),
    "PCK certificate revoked": (0, lambda: CollateralRecipe(revoked_by_ca=(_PCK_SERIAL,))),
    "another PCK certificate revoked": (1, lambda: CollateralRecipe(revoked_by_ca=(7, 8))),
    "platform CA revoked": (0, lambda: CollateralRecipe(revoked_by_root=(_CA_SERIAL,))),
    "TCB signer revoked": (0, lambda: CollateralRecipe(revoked_by_root=(_SIGNER_SERIAL,))),
    "advisories": (
        int(TcbStatus.SW_HARDENING_NEEDED),
        lambda: CollateralRecipe(
            tcb_info=TcbInfoRecipe(
                levels=(level("SWHardeningNeeded", advisory_ids=("INTEL-SA-00615",)),)
            )
        ),
    ),
    "first matching level counts": (
        int(TcbStatus.OUT_OF_DATE),
        lambda: CollateralRecipe(
            tcb_info=TcbInfoRecipe(
                levels=(
                    level("UpToDate", pce_svn=12),
                    level("OutOfDate", pce_svn=10),
                    level("ConfigurationNeeded", pce_svn=5),
                )
            )
        ),
    ),
    "unknown status": (
        0,
        lambda: CollateralRecipe(tcb_info=TcbInfoRecipe(levels=(level("Excellent"),))),
    ),
    "other TCB info version": (0, lambda: CollateralRecipe(tcb_info=TcbInfoRecipe(version=2))),
    "other identity version": (
        0,
        lambda: CollateralRecipe(qe_identity=QeIdentityRecipe(version=1)),
    ),
    "SGX TCB info": (0, lambda: CollateralRecipe(tcb_info=TcbInfoRecipe(identifier="SGX"))),
    "QE instead of TD_QE": (
        0,
        lambda: CollateralRecipe(qe_identity=QeIdentityRecipe(identifier="QE")),
    ),
    "TCB signer of another root": (0, lambda: CollateralRecipe(tcb_signer=_OTHER.tcb_signer)),
    "PCK CA as TCB signer": (
        0,
        lambda: CollateralRecipe(tcb_signer=development_pki().platform_ca),
    ),
    "lapsed": (0, lambda: CollateralRecipe(lifetime=1800)),
    "CRLs lapsed": (0, lambda: CollateralRecipe(crl_lifetime=1800)),
}


@pytest.mark.parametrize("name", COLLATERALS)
def test_collateral_is_judged_alike_on_chain_and_off(chain: DeployChain, name: str) -> None:
    expected, recipe = COLLATERALS[name]
    collateral = recipe().build(chain.now - ISSUED_AGO)
    quote = QuoteRecipe().build()
    in_python = judge_in_python(quote, collateral, chain.now)
    on_chain = judge_with_own_collateral(chain, collateral, quote)
    require_agreement(in_python, on_chain)
    assert in_python.status == expected, in_python.why


@pytest.mark.parametrize(
    "piece",
    [
        "tcb_info",
        "tcb_info_signature",
        "qe_identity",
        "qe_identity_signature",
        "pck_crl",
        "root_ca_crl",
    ],
)
def test_collateral_changed_after_signing_is_refused_by_both(
    chain: DeployChain, collateral: Collateral, piece: str
) -> None:
    value = getattr(collateral, piece)
    if isinstance(value, str):
        bent: Any = value.replace('"tcbEvaluationDataNumber":17', '"tcbEvaluationDataNumber":18')
    else:
        bent = value[:-1] + bytes([value[-1] ^ 1])
    assert bent != value
    quote = QuoteRecipe().build()
    changed = replace(collateral, **{piece: bent})
    in_python = judge_in_python(quote, changed, chain.now)
    on_chain = judge_with_own_collateral(chain, changed, quote)
    require_agreement(in_python, on_chain)
    assert not in_python.accepted


def judge_with_own_collateral(chain: DeployChain, collateral: Collateral, quote: bytes) -> Judged:
    """Judge on a verifier of its own that has this collateral, or could not be given it."""
    snapshot = chain.snapshot()
    try:
        verifier = chain.deploy("DcapVerifier", development_root_certificate(), 0)
        submit_all(chain, verifier, collateral)
        return judge_on_chain(chain, verifier, quote)
    except (XmtpTeeError, Reverted) as error:
        return Judged(*REFUSED, why=str(error))
    finally:
        chain.revert_to(snapshot)
