"""What the policy demands of kinds of TEE, as clients read it."""

from __future__ import annotations

import pytest

from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.client.tee_demand import KindStanding, TeeDemand

TDX, NITRO, SNP = TeeKind.TDX, TeeKind.NITRO, TeeKind.SEV_SNP
TWO_OF_THREE = TeeDemand.of(2, 0x1C)


def test_demand_is_read_as_the_policy_writes_it() -> None:
    assert TeeDemand(2, (TDX, NITRO, SNP)) == TWO_OF_THREE
    assert TWO_OF_THREE.words == "at least 2 of tdx, nitro, sev-snp"
    assert TeeDemand.of(0, 0).words == "no number of kinds is demanded"
    with pytest.raises(ValueError, match="unknown"):
        TeeDemand.of(1, 0x21)


@pytest.mark.parametrize(
    ("standing", "met"),
    [
        ((), False),
        ((TDX,), False),
        ((TDX, TDX), False),
        ((TDX, TeeKind.SGX), False),
        ((TDX, SNP), True),
        ((TDX, NITRO, SNP), True),
    ],
)
def test_demand_is_met_by_enough_different_kinds_that_count(
    standing: tuple[TeeKind, ...], met: bool
) -> None:
    assert TWO_OF_THREE.is_met_by(standing) is met


def test_no_demand_is_met_by_anything() -> None:
    assert TeeDemand.of(0, 0).is_met_by(())


def test_standing_says_why_a_kind_does_not_stand() -> None:
    fallen = KindStanding(NITRO, bytes(32), bytes(20), 7, "PlatformDenied")
    assert not fallen.stands
    assert fallen.words == "nitro: the policy denies this very platform (PlatformDenied)"
    assert fallen.as_dict()["reason"] == "PlatformDenied"
    assert KindStanding(TDX, bytes(32), bytes(20), 7, "").words == "tdx: stands"
