"""docs/ERRORS.md lists every code, and the gas benchmark sees every difference."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.gas import NOTES, differences
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
