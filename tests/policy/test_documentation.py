"""docs/ENCLAVE.md: its policy is a policy, its table is of today's operations."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from xmtp_tee.enclave.purposes import RULES
from xmtp_tee.policy import check_policy, parse_policy
from xmtp_tee.policy.check import IDENTITY_ACTIONS


def page(root: Path) -> str:
    return (root / "docs" / "ENCLAVE.md").read_text(encoding="utf-8")


def test_policy_in_the_documentation_is_possible(project_root: Path) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", page(project_root), re.DOTALL)
    text = block.replace("aa11...", "aa11" * 16).replace("1:0x...", "1:0x" + "11" * 20)
    policy = parse_policy(text)
    check_policy(policy)
    assert policy.callers[1].name == "app"


def test_documentation_names_every_purpose_type_and_action(project_root: Path) -> None:
    text = page(project_root)
    for purpose, rule in RULES.items():
        (line,) = re.findall(rf"^\| `{purpose.value}` \|.*$", text, re.MULTILINE)
        for key_type in rule.key_types:
            assert key_type.value in line
    assert all(action in text for action in IDENTITY_ACTIONS)


def test_table_of_operations_is_fresh(project_root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "tools/enclave_operations.py", "--check"],
        cwd=project_root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
