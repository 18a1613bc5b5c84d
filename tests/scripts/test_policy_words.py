"""scripts/_policy_words.py: what other commands print is what the policy's commands take."""

from __future__ import annotations

import re

import click
import pytest

from scripts._policy_words import advisories_of, floor_of
from xmtp_tee.attestation.advisories import advisory_commitment
from xmtp_tee.attestation.kinds import TcbStatus, TeeKind
from xmtp_tee.attestation.sevsnp.product import ProductLine, Tcb
from xmtp_tee.client.platform_state import PlatformState

MILAN = int.from_bytes(Tcb(boot_loader=3, snp=8, microcode=115).encode(ProductLine.MILAN), "little")
HELD_AGAINST = [
    (TeeKind.TDX, advisory_commitment(TcbStatus.OUT_OF_DATE, ["INTEL-SA-00837"])),
    (TeeKind.SEV_SNP, ((int(ProductLine.MILAN) << 64) | MILAN).to_bytes(32, "big")),
]


@pytest.mark.parametrize(("tee", "advisories"), HELD_AGAINST)
def test_what_status_shows_of_a_platform_is_what_allow_status_takes(
    tee: TeeKind, advisories: bytes
) -> None:
    shown = PlatformState(tee, bytes(20), TcbStatus.OUT_OF_DATE, advisories).in_words
    found = re.search("advisories (0x[0-9a-f]*)", shown)
    assert found
    assert advisories_of(None, found[1]) == advisories


@pytest.mark.parametrize("size", [24, 31, 33])
def test_a_commitment_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(click.ClickException, match="expected 32 bytes"):
        advisories_of(None, "0x" + "ab" * size)


def test_floor_is_what_the_reports_tcb_is_as_a_number() -> None:
    tcb, floor = floor_of(ProductLine.MILAN, "3,0,8,115")
    assert (str(tcb), floor) == (str(Tcb(boot_loader=3, snp=8, microcode=115)), MILAN)
    turin, number = floor_of(ProductLine.TURIN, "1,2,3,4,5")
    assert number.to_bytes(8, "little") == turin.encode(ProductLine.TURIN)
    assert turin.fmc == 5


@pytest.mark.parametrize("text", ["3,0,8,115,1", "3,0,8", "3,0,8,256", "", "a,b,c,d"])
def test_floor_that_the_product_does_not_have_is_refused(text: str) -> None:
    with pytest.raises(click.ClickException):
        floor_of(ProductLine.MILAN, text)
