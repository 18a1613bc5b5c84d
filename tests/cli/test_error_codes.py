"""docs/ERRORS.md lists every code, and the gas benchmark sees every difference."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.gas import NOTES, REAL_KEYS, TEE_KEYS, differences, rows_of
from tests.support.chain import ROOT


def test_errors_page_is_fresh() -> None:
    done = subprocess.run(
        [sys.executable, "tools/error_codes.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_gas_differences_name_changed_new_and_vanished_figures() -> None:
    rows = differences({"same": 1, "more": 2, "gone": 3}, {"same": 1, "more": 5, "new": 4})
    assert rows == [
        ("gone", "3", "absent", ""),
        ("more", "2", "5", "+3"),
        ("new", "absent", "4", ""),
    ]


def test_figure_that_was_not_measured_is_neither_compared_nor_shown() -> None:
    """A figure copied over itself would read as measured, and as unchanged, for ever."""
    stored = {"revoke": 1, "verify_nitro_warm": 2}
    assert differences(stored, {"revoke": 1}, {"verify_nitro_warm"}) == []
    assert differences(stored, {"revoke": 1}) == [("verify_nitro_warm", "2", "absent", "")]
    shown = {name: figure for name, figure, _ in rows_of({"revoke": 1_234}, {"verify_nitro_warm"})}
    assert shown == {"revoke": "1,234", "verify_nitro_warm": "not measured"}


def test_only_figures_of_genuine_evidence_may_be_left_unmeasured() -> None:
    genuine = REAL_KEYS | TEE_KEYS
    assert genuine <= NOTES.keys()
    assert not genuine & {"p384_verify", "sha384_per_block", "submit_nitro_crl_50_entries"}


def test_benchmark_of_xmtp_says_which_bar_is_missed() -> None:
    pytest.importorskip("xmtp_bindings", reason="the peer of the benchmark is not installed")
    from benchmarks.xmtp import missed

    found = {"send_clock": {"ratio": 2.0, "bar": 2.0}, "receive_clock": {"ratio": 2.01, "bar": 2.0}}
    assert missed(found) == ["receive_clock"]


def test_required_figures_are_measured() -> None:
    required = {
        "register_with_quote",
        "register_certified",
        "rotate_pre_key",
        "revoke",
        "verify_tdx_v4_real_warm",
        "verify_tdx_v4_real_cold_platform",
        "verify_tdx_v5_real_warm",
        "verify_sgx_v3_real_warm",
        "submit_tcb_info_sgx_v3_11_levels",
        "submit_tcb_info_tdx",
        "submit_qe_identity",
        "submit_pck_crl_129_entries",
    }
    assert required <= NOTES.keys()
