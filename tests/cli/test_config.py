"""Where settings come from: flag, environment, .env, the XDG file, the default; in this order."""

from __future__ import annotations

from pathlib import Path

import pytest

from xmtp_tee.commands.config import ConfigurationError, SettingMissing, Settings


@pytest.fixture
def xdg(tmp_path: Path) -> Path:
    folder = tmp_path / "config" / "xmtp-tee"
    folder.mkdir(parents=True)
    return folder / "config.toml"


def settings(tmp_path: Path, **environment: str) -> Settings:
    base = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    return Settings(base | environment, folder=tmp_path)


def test_flag_beats_environment_beats_dotenv_beats_file_beats_default(
    tmp_path: Path, xdg: Path
) -> None:
    name = "rpc-url"
    assert settings(tmp_path).require(name) == "http://127.0.0.1:8545"
    xdg.write_text('rpc-url = "http://file"\n')
    assert settings(tmp_path).require(name) == "http://file"
    (tmp_path / ".env").write_text("# comment\nexport ETH_RPC_URL='http://dotenv'\n\nNONSENSE\n")
    assert settings(tmp_path).require(name) == "http://dotenv"
    assert settings(tmp_path, ETH_RPC_URL="http://env").require(name) == "http://env"
    own = settings(tmp_path, ETH_RPC_URL="http://env", XMTP_TEE_RPC_URL="http://own")
    assert own.require(name) == "http://own"
    assert own.require(name, "http://flag") == "http://flag"


def test_setting_says_where_it_stands(tmp_path: Path) -> None:
    found = settings(tmp_path, XMTP_TEE_DEPLOYMENT="d.json").find("deployment")
    assert found is not None
    assert found.source == "environment: XMTP_TEE_DEPLOYMENT"


def test_empty_variable_counts_as_absent(tmp_path: Path) -> None:
    assert settings(tmp_path, XMTP_TEE_DEPLOYMENT="").find("deployment") is None


def test_missing_setting_names_every_place(tmp_path: Path) -> None:
    with pytest.raises(SettingMissing) as missing:
        settings(tmp_path).require("deployment")
    assert "--deployment" in str(missing.value)
    assert "XMTP_TEE_DEPLOYMENT" in str(missing.value)


def test_socket_follows_the_state_folder(tmp_path: Path) -> None:
    found = settings(tmp_path, XMTP_TEE_STATE_DIR="/var/lib/x").require("socket")
    assert found == "/var/lib/x/enclave.sock"


@pytest.mark.parametrize("content", ["rpc-url = 5\n", 'unknown = "x"\n', "= broken", "[table]\n"])
def test_file_with_an_unknown_or_malformed_setting_is_refused(
    tmp_path: Path, xdg: Path, content: str
) -> None:
    xdg.write_text(content)
    with pytest.raises(ConfigurationError):
        settings(tmp_path).find("rpc-url")
