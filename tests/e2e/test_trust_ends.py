"""What ends the standing of enclaves, each by one transaction that names no key, and what restores it.

Two enclaves run on one platform, a third on another platform of the same family. An owner's bundle stands behind
each. All evidence is the simulator's: genuine in every byte but the root.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from cryptography import x509

from tests.support.maker import MAKER_WORKLOAD, Maker
from tests.support.world import COLLATERAL_AGE, World
from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.advisories import advisory_commitment
from xmtp_tee.attestation.dcap.evidence import quote_pck_leaf
from xmtp_tee.attestation.dcap.submissions import plan_submissions
from xmtp_tee.attestation.kinds import TcbStatus, TeeKind
from xmtp_tee.attestation.simulator import (
    CollateralRecipe,
    Platform,
    QuoteRecipe,
    TcbInfoRecipe,
    TcbLevel,
    TdRecipe,
    development_pki,
)
from xmtp_tee.attestation.workload import tdx_workload_id
from xmtp_tee.client.chain import Receipt
from xmtp_tee.client.chain_errors import ContractRefused, EnclaveUntrusted
from xmtp_tee.client.comparison import judge_registration
from xmtp_tee.client.on_chain_key import OnChainKey
from xmtp_tee.client.published import Standing
from xmtp_tee.verdict import CheckResult

FIRST, OTHER = Platform(), Platform(ppid=bytes.fromhex("00112233445566778899aabbccddeeff"))
FAMILY = FIRST.fmspc.ljust(16, b"\0")
ADVISORIES = ("INTEL-SA-00837", "INTEL-SA-01036")
COMMITMENT = advisory_commitment(TcbStatus.OUT_OF_DATE, ADVISORIES)
OTHER_TD = TdRecipe(mr_td=bytes(range(48)))
OTHER_WORKLOAD = tdx_workload_id(OTHER_TD.build())
DAY = 24 * 3600


@dataclass(frozen=True)
class Resident:
    """An enclave and the account whose bundle it certified."""

    maker: Maker
    account: int
    platform: Platform
    td: TdRecipe

    @property
    def recipe(self) -> QuoteRecipe:
        """Quotes of its TD on its platform, each platform with a certificate of its own."""
        pck = development_pki().issue_pck(self.platform, label=f"pck {self.platform.ppid.hex()}")
        return QuoteRecipe(platform=self.platform, td=self.td, pck=pck)


RESIDENTS = (
    Resident(Maker("resident"), 1, FIRST, TdRecipe()),
    Resident(Maker("neighbour"), 2, FIRST, OTHER_TD),
    Resident(Maker("relative"), 3, OTHER, TdRecipe()),
)


@dataclass
class Street:
    """The world with three enclaves, each attested and behind a registered bundle."""

    world: World
    leaf: bytes

    def bundle(self, resident: Resident) -> OnChainKey:
        owner = self.world.senders[resident.account].address
        return self.world.reader.find(owner, resident.maker.identity().public_key)

    def reasons(self) -> list[str]:
        """Why each enclave is not trusted, in the order of RESIDENTS; empty when it is."""
        found = [self.bundle(resident) for resident in RESIDENTS]
        for key in found:
            assert (key.standing is Standing.TRUSTED) == (key.enclave_reason == "")
            assert (key.assurance is AssuranceLevel.NONE) == (key.enclave_reason != "")
        return [key.enclave_reason for key in found]

    def policy(self, function: str, *arguments: object) -> Receipt:
        """One transaction of the policy's owner."""
        call = self.world.contract("EnclavePolicy").get_function_by_name(function)(*arguments)
        return self.world.chain.transact(call, self.world.senders[0])

    def bring(self, recipe: CollateralRecipe, what: str) -> Receipt:
        """One transaction of a stranger: this piece of newer collateral and nothing else."""
        collateral = recipe.build(self.world.now - 60)
        piece = next(piece for piece in plan_submissions(collateral) if piece.what == what)
        verifier = self.world.contract("DcapVerifier")
        call = verifier.get_function_by_name(piece.function)(*piece.arguments)
        return self.world.chain.transact(call, self.world.senders[5])

    def renew(self, resident: Resident) -> None:
        self.world.attest(self.world.attestation(resident.maker, recipe=resident.recipe))


@pytest.fixture(scope="module")
def settled(world: World) -> Street:
    leaf = b""
    policy = world.contract("EnclavePolicy").functions
    world.chain.transact(
        policy.addWorkload(OTHER_WORKLOAD, int(AssuranceLevel.MEMBER), "tests", bytes(20)),
        world.senders[0],
    )
    for resident in RESIDENTS:
        attestation = world.attestation(resident.maker, recipe=resident.recipe)
        leaf = leaf or quote_pck_leaf(attestation.quote)
        certificate = world.certificate(resident.maker, resident.account)
        world.register(
            certificate,
            resident.maker.authority,
            resident.account,
            evidence=world.evidence(attestation),
        )
    return Street(world, leaf)


@pytest.fixture
def street(settled: Street) -> Iterator[Street]:
    """Everybody trusted; whatever happens is undone."""
    with settled.world.undone():
        assert settled.reasons() == ["", "", ""]
        yield settled


def outdated(status: TcbStatus = TcbStatus.OUT_OF_DATE) -> CollateralRecipe:
    """Newer collateral: the platforms' present level is no longer up to date, a higher one is."""
    present = TcbLevel(status=status.intel_name, advisory_ids=ADVISORIES)
    info = TcbInfoRecipe(evaluation_number=18, levels=(TcbLevel(pce_svn=13), present))
    return CollateralRecipe(tcb_info=info)


# --- endings ---------------------------------------------------------------------------------------


def test_newer_collateral_that_outdates_a_level_ends_every_enclave_on_it(street: Street) -> None:
    street.bring(outdated(), "TCB info")
    assert street.reasons() == ["TcbStatusNotAccepted"] * 3
    key = street.bundle(RESIDENTS[0])
    assert key.platform.status is TcbStatus.OUT_OF_DATE
    assert key.platform.advisories == COMMITMENT
    assert (key.platform.instance, key.platform.family) == (FIRST.ppid, FAMILY)
    with pytest.raises(EnclaveUntrusted) as untrusted:
        street.world.reader.get_on_chain_key(key.owner, key.identity_key)
    assert "not up to date" in str(untrusted.value)


def test_revoked_pck_certificate_ends_every_enclave_on_its_platform(street: Street) -> None:
    serial = x509.load_der_x509_certificate(street.leaf).serial_number
    revoking = CollateralRecipe(revoked_by_ca=(serial,), pck_crl_number=2)
    street.bring(revoking, "PCK CA's revocation list")
    assert street.reasons() == ["CertificateRevoked", "CertificateRevoked", ""]
    assert street.bundle(RESIDENTS[0]).platform.problem == "CertificateRevoked"


def test_removed_workload_ends_every_enclave_that_runs_it(street: Street) -> None:
    street.policy("removeWorkload", MAKER_WORKLOAD)
    assert street.reasons() == ["WorkloadNotTrusted", "", "WorkloadNotTrusted"]


def test_denied_platform_ends_every_enclave_on_it(street: Street) -> None:
    street.policy("denyPlatform", int(TeeKind.TDX), FIRST.ppid)
    assert street.reasons() == ["PlatformDenied", "PlatformDenied", ""]
    key = street.bundle(RESIDENTS[1])
    assert key.platform.platform_denied
    assert not key.platform.family_denied
    assert key.platform.status is TcbStatus.UP_TO_DATE
    assert "DENIED" in key.platform.in_words
    street.world.mine(2)
    with pytest.raises(ContractRefused) as refused:
        street.renew(RESIDENTS[0])
    assert refused.value.error_name == "PlatformDenied"


def test_denied_family_ends_every_enclave_in_it(street: Street) -> None:
    street.policy("denyFamily", int(TeeKind.TDX), FAMILY)
    assert street.reasons() == ["FamilyDenied"] * 3
    assert street.bundle(RESIDENTS[2]).platform.family_denied


def test_denial_for_another_kind_of_environment_ends_nobody(street: Street) -> None:
    street.policy("denyPlatform", int(TeeKind.SGX), FIRST.ppid)
    street.policy("denyFamily", int(TeeKind.SGX), FAMILY)
    assert street.reasons() == ["", "", ""]


# --- restorations ----------------------------------------------------------------------------------


def test_lifting_a_denial_restores_what_nobody_invalidated(street: Street) -> None:
    street.policy("denyPlatform", int(TeeKind.TDX), FIRST.ppid)
    authority = street.world.chain.web3.to_checksum_address(RESIDENTS[0].maker.authority)
    enclaves = street.world.contract("EnclaveRegistry").functions
    street.world.chain.transact(enclaves.invalidate(authority), street.world.senders[5])
    street.policy("allowPlatform", int(TeeKind.TDX), FIRST.ppid)
    assert street.reasons() == ["EnclaveInvalidated", "", ""]
    street.world.mine(2)
    street.renew(RESIDENTS[0])
    assert street.reasons() == ["", "", ""]


def test_exception_restores_until_its_deadline(street: Street) -> None:
    street.bring(outdated(), "TCB info")
    until = street.world.now + 2 * DAY
    status = int(TcbStatus.OUT_OF_DATE)
    street.policy("allowStatus", MAKER_WORKLOAD, status, COMMITMENT, until)
    assert street.reasons() == ["", "TcbStatusNotAccepted", ""]
    key = street.bundle(RESIDENTS[0])
    assert key.platform.allowed_until == until
    verdict = judge_registration(
        street.world.reader, key.owner, key.identity_key, accept_simulated=True
    )
    line = next(check for check in verdict.checks if check.name == "platform")
    assert line.result is CheckResult.WARN
    assert str(until) in (line.got or "")
    street.world.warp(until - street.world.now)
    assert street.reasons() == ["TcbStatusNotAccepted"] * 3
    assert street.bundle(RESIDENTS[0]).platform.allowed_until == 0


def test_withdrawn_exception_ends_trust_at_once(street: Street) -> None:
    street.bring(outdated(), "TCB info")
    status = int(TcbStatus.OUT_OF_DATE)
    street.policy("allowStatus", MAKER_WORKLOAD, status, COMMITMENT, street.world.now + DAY)
    assert street.reasons()[0] == ""
    street.policy("withdrawStatus", MAKER_WORKLOAD, status, COMMITMENT)
    assert street.reasons() == ["TcbStatusNotAccepted"] * 3


def test_exception_for_other_advisories_restores_nobody(street: Street) -> None:
    street.bring(outdated(), "TCB info")
    status, until = int(TcbStatus.OUT_OF_DATE), street.world.now + DAY
    fewer = advisory_commitment(TcbStatus.OUT_OF_DATE, ADVISORIES[:1])
    swapped = advisory_commitment(TcbStatus.OUT_OF_DATE, ADVISORIES[::-1])
    for commitment in (fewer, swapped, bytes(32)):
        street.policy("allowStatus", MAKER_WORKLOAD, status, commitment, until)
    assert street.reasons() == ["TcbStatusNotAccepted"] * 3


def test_enclave_attests_under_an_exception_and_not_without(street: Street) -> None:
    status = TcbStatus.SW_HARDENING_NEEDED
    street.bring(outdated(status), "TCB info")
    street.world.mine(2)
    with pytest.raises(ContractRefused) as refused:
        street.renew(RESIDENTS[0])
    assert refused.value.error_name == "TcbStatusNotAccepted"
    assert refused.value.error_args["advisories"] == COMMITMENT
    until = street.world.now + DAY
    street.policy("allowStatus", MAKER_WORKLOAD, int(status), COMMITMENT, until)
    street.renew(RESIDENTS[0])
    assert street.reasons() == ["", "TcbStatusNotAccepted", ""]


def test_newer_collateral_that_clears_a_level_restores_it(street: Street) -> None:
    street.bring(outdated(), "TCB info")
    assert street.reasons() == ["TcbStatusNotAccepted"] * 3
    street.world.warp(120)
    cleared = CollateralRecipe(tcb_info=TcbInfoRecipe(evaluation_number=19))
    street.bring(cleared, "TCB info")
    assert street.reasons() == ["", "", ""]


# --- attacks ---------------------------------------------------------------------------------------


def test_older_collateral_brings_no_revoked_judgement_back(street: Street) -> None:
    street.bring(outdated(), "TCB info")
    older = CollateralRecipe(tcb_info=replace(outdated().tcb_info, evaluation_number=17))
    with pytest.raises(ContractRefused):
        street.bring(older, "TCB info")
    old = CollateralRecipe().build(street.world.now - COLLATERAL_AGE // 2)
    piece = next(piece for piece in plan_submissions(old) if piece.what == "TCB info")
    verifier = street.world.contract("DcapVerifier")
    with pytest.raises(ContractRefused):
        street.world.chain.transact(
            verifier.get_function_by_name(piece.function)(*piece.arguments),
            street.world.senders[5],
        )
    assert street.reasons() == ["TcbStatusNotAccepted"] * 3


def test_stranger_changes_nothing_in_the_policy(street: Street) -> None:
    policy = street.world.contract("EnclavePolicy").functions
    until = street.world.now + DAY
    tdx = int(TeeKind.TDX)
    for call in (
        policy.allowStatus(MAKER_WORKLOAD, int(TcbStatus.OUT_OF_DATE), COMMITMENT, until),
        policy.withdrawStatus(MAKER_WORKLOAD, int(TcbStatus.OUT_OF_DATE), COMMITMENT),
        policy.denyPlatform(tdx, FIRST.ppid),
        policy.allowPlatform(tdx, FIRST.ppid),
        policy.denyFamily(tdx, FAMILY),
        policy.allowFamily(tdx, FAMILY),
    ):
        with pytest.raises(ContractRefused) as refused:
            street.world.chain.transact(call, street.world.senders[5])
        assert refused.value.error_name == "OwnableUnauthorizedAccount"
    assert street.reasons() == ["", "", ""]
