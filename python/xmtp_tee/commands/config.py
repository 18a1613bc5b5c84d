"""Where a setting comes from: flag, then environment, then ``.env`` here, then the XDG configuration file.

The file is ``$XDG_CONFIG_HOME/xmtp-tee/config.toml`` (default ``~/.config``), flat::

    rpc-url = "http://127.0.0.1:8545"
    deployment = "deployments/local.json"
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from xmtp_tee.errors import UsageError


class ConfigurationError(UsageError):
    """A configuration file cannot be read, or names a setting that does not exist."""

    code = "configuration.invalid"


class SettingMissing(UsageError):
    """A setting is needed and stands nowhere."""

    code = "configuration.missing"


# Name, and the environment variables that carry it: ours first, then those of the Ethereum world.
SETTINGS: Mapping[str, tuple[str, ...]] = {
    "rpc-url": ("XMTP_TEE_RPC_URL", "ETH_RPC_URL"),
    "deployment": ("XMTP_TEE_DEPLOYMENT",),
    "socket": ("XMTP_TEE_SOCKET",),
    "state-dir": ("XMTP_TEE_STATE_DIR",),
    "driver": ("XMTP_TEE_DRIVER",),
    "caller-key": ("XMTP_TEE_CALLER_KEY",),
    "transport-key": ("XMTP_TEE_TRANSPORT_KEY",),
    "state-receipts": ("XMTP_TEE_STATE_RECEIPTS",),
    "keystore": ("XMTP_TEE_KEYSTORE", "ETH_KEYSTORE", "ETH_KEYSTORE_ACCOUNT"),
    "password-file": ("XMTP_TEE_PASSWORD_FILE", "ETH_PASSWORD"),
}


@dataclass(frozen=True, slots=True)
class Setting:
    """A value and where it stands, for error messages and for ``doctor``."""

    value: str
    source: str


class Settings:
    """All layers but the flags; those are passed to :meth:`find`."""

    def __init__(
        self,
        environment: Mapping[str, str] | None = None,
        *,
        folder: Path | None = None,
    ) -> None:
        self._environment = os.environ if environment is None else environment
        self._folder = Path() if folder is None else folder

    def find(self, name: str, flag: str | os.PathLike[str] | None = None) -> Setting | None:
        """Return the setting from the highest layer that has it."""
        if flag is not None:
            return Setting(os.fspath(flag), f"--{name}")
        variables = SETTINGS[name]
        for layer, label in ((self._environment, "environment"), (self._dotenv, ".env")):
            for variable in variables:
                if layer.get(variable):
                    return Setting(layer[variable], f"{label}: {variable}")
        if name in self._file:
            return Setting(self._file[name], str(self.path))
        default = self._default(name)
        return None if default is None else Setting(default, "default")

    def require(self, name: str, flag: str | os.PathLike[str] | None = None) -> str:
        """Return the setting's value; raise :class:`SettingMissing` if it stands nowhere."""
        setting = self.find(name, flag)
        if setting is None:
            raise SettingMissing(
                f"{name} is not set",
                expected=f"--{name}, or {SETTINGS[name][0]} in the environment or .env, "
                f"or {name} in {self.path}",
                next_command=f"pass --{name}",
            )
        return setting.value

    @property
    def path(self) -> Path:
        """The configuration file, whether it exists or not."""
        return self._xdg("XDG_CONFIG_HOME", ".config") / "config.toml"

    @cached_property
    def _file(self) -> dict[str, str]:
        try:
            loaded = tomllib.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                "the configuration file cannot be read", got=self.path, cause=str(error)
            ) from error
        for name, value in loaded.items():
            if name not in SETTINGS or not isinstance(value, str):
                raise ConfigurationError(
                    f"{self.path}: unknown setting, or not a text",
                    got=name,
                    expected=", ".join(SETTINGS),
                )
        return loaded

    @cached_property
    def _dotenv(self) -> dict[str, str]:
        path = self._folder / ".env"
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (FileNotFoundError, IsADirectoryError):
            return {}
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                "the .env file cannot be read", got=path, cause=str(error)
            ) from error
        return dict(pair for line in lines if (pair := _pair(line)) is not None)

    def _default(self, name: str) -> str | None:
        if name == "rpc-url":
            return "http://127.0.0.1:8545"
        if name == "state-dir":
            return str(self._xdg("XDG_DATA_HOME", ".local/share"))
        if name == "socket":
            # Where `xmtp-tee enclave run` puts it unless told otherwise.
            return str(Path(self.require("state-dir")) / "enclave.sock")
        return None

    def _xdg(self, variable: str, fallback: str) -> Path:
        base = self._environment.get(variable)
        home = Path(self._environment.get("HOME") or Path.home())
        return (Path(base) if base else home / fallback) / "xmtp-tee"


def _pair(line: str) -> tuple[str, str] | None:
    """Read ``[export ]NAME=value``; quotes around the value are dropped, comments and blanks skipped."""
    text = line.strip().removeprefix("export ").strip()
    name, equals, value = text.partition("=")
    if not equals or name.startswith("#"):
        return None
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    return name.strip(), value
