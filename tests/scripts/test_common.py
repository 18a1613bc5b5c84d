"""scripts/_common.py: how a script ends."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from scripts._common import load_deployment, refusal
from xmtp_tee.errors import RefusedByPolicyError, UnavailableError, UsageError, XmtpTeeError


@pytest.mark.parametrize(
    ("error", "code"), [(UsageError, 1), (UnavailableError, 3), (RefusedByPolicyError, 4)]
)
def test_a_script_ends_with_the_exit_code_of_the_error(
    error: type[XmtpTeeError], code: int
) -> None:
    ended = refusal(error("the node does not answer"))
    assert ended.exit_code == code
    assert "the node does not answer" in ended.message


def test_a_deployment_file_that_is_none_ends_a_script_in_words(tmp_path: Path) -> None:
    with pytest.raises(click.ClickException, match="there is no such deployment file"):
        load_deployment(tmp_path / "none.json")
