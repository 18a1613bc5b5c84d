"""The chain writes Intel's JSON to the byte, and one text has one compact form."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from web3.contract import Contract

from tests.support.chain import Anvil, Chain, Reverted
from tests.support.fixtures import attestation_fixture
from xmtp_tee.attestation.collateral import split_signed
from xmtp_tee.attestation.dcap.levels import STATUS_NUMBER
from xmtp_tee.attestation.dcap.qe_identity import compact_qe_identity, qe_identity_text
from xmtp_tee.attestation.dcap.tcb_info import compact_tcb_info, tcb_info_text
from xmtp_tee.attestation.simulator import QeIdentityRecipe, TcbInfoRecipe

TCB_INFOS = [
    "2025-06/tcbinfo.json",
    "2025-06/tcbinfov3_00806f050000.json",
    "2025-06/tcbinfov3_90C06F000000.json",
    "2025-08/sgx_tcbinfov3_00606a000000.json",
    "2025-10/tcb_info.json",
    "google/sample_tcbInfo_response.json",
    "google/sample_tcbinfo_response_v5.json",
    "phala/sgx_quote_collateral.json",
    "phala/tdx_quote_collateral.json",
    "phala/tdx_quote_outdated_collateral.json",
]
QE_IDENTITIES = [
    "2025-06/identity.json",
    "2025-06/qe_td.json",
    "2025-08/sgx_qeidentity_v4.json",
    "2025-10/identity.json",
    "google/sample_qeIdentity_response.json",
    "phala/sgx_quote_collateral.json",
    "phala/tdx_quote_collateral.json",
]
# One byte form, then two bytes for each of the 32 component positions, when nothing is decorated.
HEAD = 1
PLAIN = 2 * 32


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    with Anvil() as anvil:
        yield Chain(anvil)


@pytest.fixture(scope="module")
def reader(chain: Chain) -> Contract:
    return chain.deploy("CollateralReader")


def signed_text(name: str, member: str, flat: str) -> str:
    body = attestation_fixture(f"intel-collateral/{name}").read_text()
    if name.startswith("phala"):
        text: str = json.loads(body)[flat]
        return text
    return split_signed(body, member)[0]


def refusal(chain: Chain, function: object) -> str:
    with pytest.raises(Reverted) as refused:
        chain.call(function)
    return refused.value.name


@pytest.fixture(scope="module")
def plain() -> bytes:
    """A TDX TCB info without decorations."""
    nothing = ((None, None),) * 16
    recipe = TcbInfoRecipe(sgx_decorations=nothing, tdx_decorations=nothing)
    return compact_tcb_info(recipe.text(1_750_000_000, 1_752_592_000))


# --- the same text ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TCB_INFOS)
def test_intels_tcb_info_is_rebuilt(chain: Chain, reader: Contract, name: str) -> None:
    text = signed_text(name, "tcbInfo", "tcb_info")
    compact = compact_tcb_info(text)
    assert chain.call(reader.functions.tcbInfoText(compact)) == text
    summary, digest, _ = chain.call(reader.functions.readTcbInfo(compact))
    assert digest == hashlib.sha256(text.encode()).digest()
    info = json.loads(text)
    assert summary[0] == info["version"]
    assert summary[1] == {"SGX": 1, "TDX": 2}[info.get("id", "SGX")]
    assert summary[2].hex() == info["fmspc"].lower()
    assert summary[3].hex() == info["pceId"].lower()
    assert summary[6] == info["tcbEvaluationDataNumber"]


@pytest.mark.parametrize("name", QE_IDENTITIES)
def test_intels_qe_identity_is_rebuilt(chain: Chain, reader: Contract, name: str) -> None:
    text = signed_text(name, "enclaveIdentity", "qe_identity")
    compact = compact_qe_identity(text)
    assert chain.call(reader.functions.qeIdentityText(compact)) == text
    summary, digest, _ = chain.call(reader.functions.readQeIdentity(compact))
    assert digest == hashlib.sha256(text.encode()).digest()
    assert summary[0] == {"QE": 1, "TD_QE": 2}[json.loads(text)["id"]]


NAME = st.text(
    st.sampled_from([chr(c) for c in range(32, 127) if chr(c) not in '"\\{}[]']), max_size=40
)
STATUS = st.sampled_from(sorted(STATUS_NUMBER.values()))
PART_STATUS = st.sampled_from([1, 5, 7])
DATE = st.integers(0, 253_402_300_799).map(lambda seconds: seconds.to_bytes(5, "big"))
DIGIT = st.sampled_from(b"0123456789abcdefABCDEF")


def digits(count: int) -> st.SearchStrategy[bytes]:
    return st.lists(DIGIT, min_size=count, max_size=count).map(bytes)


def fixed(count: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=count, max_size=count)


@st.composite
def level_end(draw: st.DrawFn, status: st.SearchStrategy[int]) -> bytes:
    advisories = draw(st.lists(fixed(2), max_size=4))
    end = draw(DATE) + bytes([draw(status), len(advisories)])
    return end + b"".join(advisories)


@st.composite
def svn_levels(draw: st.DrawFn) -> bytes:
    count = draw(st.integers(1, 3))
    levels = b"".join(draw(fixed(2)) + draw(level_end(PART_STATUS)) for _ in range(count))
    return bytes([count]) + levels


@st.composite
def tcb_infos(draw: st.DrawFn) -> bytes:
    """Any compact TCB info."""
    tdx = draw(st.booleans())
    compact = bytes([2 if tdx else 1])
    for _ in range(32 if tdx else 16):
        category, kind = draw(NAME).encode(), draw(NAME).encode()
        compact += bytes([len(category), len(kind)]) + category + kind
    compact += draw(DATE) + draw(DATE) + draw(fixed(3)) + draw(digits(12)) + draw(digits(4))
    if tdx:
        count = draw(st.integers(0, 3))
        compact += draw(fixed(64)) + bytes([count])
        for _ in range(count):
            compact += draw(digits(2)) + draw(fixed(64)) + draw(svn_levels())
    count = draw(st.integers(1, 3))
    compact += bytes([count])
    for _ in range(count):
        compact += draw(fixed(34 if tdx else 18)) + draw(level_end(STATUS))
    return compact


@settings(max_examples=40)
@given(compact=tcb_infos())
def test_any_compact_form_gives_the_text_that_python_writes(
    chain: Chain, reader: Contract, compact: bytes
) -> None:
    text = tcb_info_text(compact)
    assert chain.call(reader.functions.tcbInfoText(compact)) == text
    # And no other compact form gives it: reading the text leads back to where it came from.
    assert compact_tcb_info(text) == compact


@settings(max_examples=20)
@given(
    head=fixed(3),
    values=fixed(74),
    dates=st.tuples(DATE, DATE),
    levels=svn_levels(),
    tdx=st.booleans(),
)
def test_any_compact_identity_gives_the_text_that_python_writes(
    chain: Chain,
    reader: Contract,
    head: bytes,
    values: bytes,
    dates: tuple[bytes, bytes],
    levels: bytes,
    tdx: bool,
) -> None:
    compact = bytes([2 if tdx else 1]) + b"".join(dates) + head + values + levels
    text = qe_identity_text(compact)
    assert chain.call(reader.functions.qeIdentityText(compact)) == text
    assert compact_qe_identity(text) == compact


# --- attacks: text that swallows structure ---------------------------------------------------------


@pytest.mark.parametrize("character", [*'"\\{}[]', "\x00", "\x1f", "\x7f", "\x80", "\xff"])
def test_a_decoration_cannot_leave_its_string(
    chain: Chain, reader: Contract, plain: bytes, character: str
) -> None:
    name = b"BIOS" + character.encode("latin-1")
    compact = plain[:HEAD] + bytes([len(name), 0]) + name + plain[HEAD + 2 :]
    assert refusal(chain, reader.functions.tcbInfoText(compact)) == "DecorationCharacter"


@pytest.mark.parametrize(
    "swallowing",
    [
        b'BIOS"},{"svn":0',
        b'BIOS","svn":255,"type":"x',
        b'x","tcbStatus":"UpToDate',
        b"BIOS\\",
    ],
)
def test_a_component_cannot_swallow_the_next(
    chain: Chain, reader: Contract, plain: bytes, swallowing: bytes
) -> None:
    compact = plain[:HEAD] + bytes([0, len(swallowing)]) + swallowing + plain[HEAD + 2 :]
    assert refusal(chain, reader.functions.tcbInfoText(compact)) == "DecorationCharacter"


@pytest.mark.parametrize("length", [1, 31, 32, 33, 64, 255])
def test_a_forbidden_character_is_found_at_any_place(
    chain: Chain, reader: Contract, plain: bytes, length: int
) -> None:
    """Names are checked 32 characters at a time."""
    calls = []
    for position in range(length):
        for character in (b'"', b"\x00", b"\xff"):
            name = b"A" * position + character + b"~" * (length - position - 1)
            compact = plain[:HEAD] + bytes([0, length]) + name + plain[HEAD + 2 :]
            calls.append(reader.functions.tcbInfoText(compact))
    for outcome in chain.outcomes(calls):
        assert isinstance(outcome, Reverted)
        assert outcome.name == "DecorationCharacter"


def test_each_character_alone_is_allowed_or_refused(
    chain: Chain, reader: Contract, plain: bytes
) -> None:
    calls = [
        reader.functions.tcbInfoText(plain[:HEAD] + bytes([1, 0, c]) + plain[HEAD + 2 :])
        for c in range(256)
    ]
    allowed = {
        c for c, outcome in enumerate(chain.outcomes(calls)) if not isinstance(outcome, Reverted)
    }
    assert allowed == {c for c in range(0x20, 0x7F) if c not in b'"\\{}[]'}


def test_every_other_printable_character_may_stand_in_a_decoration(
    chain: Chain, reader: Contract, plain: bytes
) -> None:
    name = bytes(c for c in range(0x20, 0x7F) if c not in b'"\\{}[]')
    compact = plain[:HEAD] + bytes([len(name), 0]) + name + plain[HEAD + 2 :]
    text = chain.call(reader.functions.tcbInfoText(compact))
    components = json.loads(text)["tcbLevels"][0]["tcb"]["sgxtcbcomponents"]
    assert components[0]["category"].encode() == name


# --- attacks: forms --------------------------------------------------------------------------------


def test_truncated_forms_are_refused(chain: Chain, reader: Contract, plain: bytes) -> None:
    for cut in range(0, len(plain), 7):
        with pytest.raises(Reverted):
            chain.call(reader.functions.tcbInfoText(plain[:cut]))
    assert refusal(chain, reader.functions.tcbInfoText(plain[:-1])) == "CompactLengthMismatch"


def test_trailing_bytes_are_refused(chain: Chain, reader: Contract, plain: bytes) -> None:
    assert refusal(chain, reader.functions.tcbInfoText(plain + b"\0")) == "CompactLengthMismatch"
    identity = compact_qe_identity(QeIdentityRecipe().text(1_750_000_000, 1_752_592_000))
    assert (
        refusal(chain, reader.functions.qeIdentityText(identity + b"\0")) == "CompactLengthMismatch"
    )
    assert refusal(chain, reader.functions.qeIdentityText(identity[:-1])) == "CompactLengthMismatch"


@pytest.mark.parametrize("form", [0, 4, 5, 255])
def test_unknown_forms_of_tcb_info_are_refused(
    chain: Chain, reader: Contract, plain: bytes, form: int
) -> None:
    changed = bytes([form]) + plain[1:]
    assert refusal(chain, reader.functions.tcbInfoText(changed)) == "TcbInfoFormUnsupported"


@pytest.mark.parametrize("form", [0, 3, 4, 255])
def test_unknown_forms_of_identities_are_refused(
    chain: Chain, reader: Contract, plain: bytes, form: int
) -> None:
    changed = bytes([form]) + plain[1:]
    assert refusal(chain, reader.functions.qeIdentityText(changed)) == "QeIdentityFormUnsupported"


def fmspc_offset() -> int:
    return HEAD + PLAIN + 13


@pytest.mark.parametrize("character", b"/:@G`g \x00\xff")
def test_what_is_no_hex_digit_is_refused(
    chain: Chain, reader: Contract, plain: bytes, character: int
) -> None:
    for offset in (fmspc_offset(), fmspc_offset() + 11, fmspc_offset() + 15):
        changed = bytearray(plain)
        changed[offset] = character
        assert refusal(chain, reader.functions.tcbInfoText(bytes(changed))) == "HexDigitExpected"


def test_a_date_after_the_year_9999_is_refused(
    chain: Chain, reader: Contract, plain: bytes
) -> None:
    offset = HEAD + PLAIN
    changed = plain[:offset] + (253_402_300_800).to_bytes(5, "big") + plain[offset + 5 :]
    assert refusal(chain, reader.functions.tcbInfoText(changed)) == "DateOutOfRange"


def with_platform_status(plain: bytes, status: int) -> bytes:
    """The last level of the plain TCB info has three advisories after its status and count."""
    return plain[:-8] + bytes([status]) + plain[-7:]


@pytest.mark.parametrize("status", [0, 8, 255])
def test_an_unknown_status_is_refused(
    chain: Chain, reader: Contract, plain: bytes, status: int
) -> None:
    assert plain[-8] == STATUS_NUMBER["OutOfDate"]
    changed = with_platform_status(plain, status)
    assert refusal(chain, reader.functions.tcbInfoText(changed)) == "StatusUnknown"


@pytest.mark.parametrize("status", [2, 3, 4, 6])
def test_a_status_that_no_quoting_enclave_has_is_refused(
    chain: Chain, reader: Contract, status: int
) -> None:
    identity = compact_qe_identity(QeIdentityRecipe().text(1_750_000_000, 1_752_592_000))
    changed = identity[:-2] + bytes([status, 0])
    assert refusal(chain, reader.functions.qeIdentityText(changed)) == "LevelStatusUnsupported"


def test_no_level_is_refused(chain: Chain, reader: Contract) -> None:
    identity = compact_qe_identity(QeIdentityRecipe().text(1_750_000_000, 1_752_592_000))
    without = identity[: 1 + 13 + 74] + b"\0"
    assert refusal(chain, reader.functions.qeIdentityText(without)) == "LevelsMissing"


def test_counts_beyond_the_bytes_cost_no_endless_loop(
    chain: Chain, reader: Contract, plain: bytes
) -> None:
    """255 levels are announced and none follow: the loop stops at the first past the end."""
    offset = HEAD + PLAIN + 13 + 16
    cut = plain[: offset + 64] + b"\0" + b"\xff"
    assert refusal(chain, reader.functions.tcbInfoText(cut)) in {
        "StatusUnknown",
        "CompactLengthMismatch",
    }


def test_reordered_levels_give_another_text(chain: Chain, reader: Contract) -> None:
    recipe = TcbInfoRecipe()
    swapped = replace(recipe, levels=recipe.levels[::-1])
    texts = [
        chain.call(
            reader.functions.tcbInfoText(compact_tcb_info(r.text(1_750_000_000, 1_752_592_000)))
        )
        for r in (recipe, swapped)
    ]
    assert texts[0] != texts[1]
