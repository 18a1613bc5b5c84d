"""The commitment to advisories: the contract's formula, with values computed by hand from its text."""

from __future__ import annotations

from itertools import permutations

import pytest

from tests.attestation.support import ISSUED_AT, NOW, QUOTE, ROOT
from xmtp_tee.attestation import TcbStatus, advisory_commitment, verify_quote
from xmtp_tee.attestation.errors import CollateralInvalidError
from xmtp_tee.attestation.simulator import (
    CollateralRecipe,
    QeIdentityRecipe,
    QeLevel,
    TcbInfoRecipe,
    TcbLevel,
    TdxModuleIdentity,
    TdxModuleLevel,
)
from xmtp_tee.hashing import keccak256

STATUS = TcbStatus.OUT_OF_DATE


def test_advisory_commitment_puts_each_part_into_its_eight_bytes() -> None:
    # 828 = 0x033c, 837 = 0x0345, 106 = 0x006a
    platform = keccak256(bytes.fromhex("033c0345"))[:8]
    module = keccak256(bytes.fromhex("006a"))[:8]
    two, one = ("INTEL-SA-00828", "INTEL-SA-00837"), ("INTEL-SA-00106",)
    assert advisory_commitment(STATUS, two) == platform + bytes(24)
    assert advisory_commitment(STATUS, (), one) == bytes(8) + module + bytes(16)
    assert advisory_commitment(STATUS, (), (), one) == bytes(16) + module + bytes(8)
    assert advisory_commitment(STATUS, two, one, two) == platform + module + platform + bytes(8)


def test_advisory_commitment_is_zero_without_advisories_and_when_up_to_date() -> None:
    assert advisory_commitment(STATUS, ()) == bytes(32)
    assert advisory_commitment(TcbStatus.UP_TO_DATE, ("INTEL-SA-00828",)) == bytes(32)
    assert advisory_commitment(TcbStatus.UP_TO_DATE, None) == bytes(32)


def test_advisory_commitment_says_not_known_for_tcb_info_of_version_2() -> None:
    assert advisory_commitment(STATUS, None) == b"\xff" * 8 + bytes(24)
    assert advisory_commitment(STATUS, None) != advisory_commitment(STATUS, ())


def test_advisory_commitment_depends_on_intels_order() -> None:
    lists = permutations(("INTEL-SA-00001", "INTEL-SA-00002", "INTEL-SA-00003"))
    assert len({advisory_commitment(STATUS, ids) for ids in lists}) == 6


@pytest.mark.parametrize(
    "name",
    [
        "",
        "INTEL-SA-1",
        "INTEL-SA-000615",
        "INTEL-SA-65536",
        "intel-sa-00615",
        "INTEL-SA-00615 ",
        "INTEL-SA-٠٠٦١٥",
    ],
)
def test_advisory_commitment_refuses_other_names(name: str) -> None:
    with pytest.raises(CollateralInvalidError):
        advisory_commitment(STATUS, (name,))
    assert advisory_commitment(STATUS, ("INTEL-SA-65535",)) != bytes(32)


def test_verify_quote_commits_to_the_lists_of_all_three_matching_levels() -> None:
    collateral = CollateralRecipe(
        tcb_info=TcbInfoRecipe(
            levels=(TcbLevel(status="SWHardeningNeeded", advisory_ids=("INTEL-SA-00001",)),),
            module_identities=(
                TdxModuleIdentity(
                    levels=(
                        TdxModuleLevel(isv_svn=9, advisory_ids=("INTEL-SA-00009",)),
                        TdxModuleLevel(status="OutOfDate", advisory_ids=("INTEL-SA-00002",)),
                    )
                ),
            ),
        ),
        qe_identity=QeIdentityRecipe(
            levels=(QeLevel(status="OutOfDate", advisory_ids=("INTEL-SA-00003",)),)
        ),
    ).build(ISSUED_AT)
    verified = verify_quote(QUOTE, collateral, ROOT, NOW, accept={TcbStatus.OUT_OF_DATE})
    assert verified.advisory_ids == ("INTEL-SA-00001", "INTEL-SA-00002", "INTEL-SA-00003")
    parts = (keccak256(bytes([0, number]))[:8] for number in (1, 2, 3))
    assert verified.advisories == b"".join(parts) + bytes(8)
