"""The parameters of a deployment: scripts/parameters/NAME.yaml, read strictly."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import yaml
from eth_utils import is_address, is_checksum_address, keccak, to_checksum_address

ROOT = Path(__file__).resolve().parent.parent
PARAMETERS = ROOT / "scripts" / "parameters"
DEVELOPMENT = "development"
ZERO_ADDRESS = "0x" + "00" * 20

MAX_BLOCK_AGE_LIMIT = 8191  # EIP-2935
HOUR, DAY = 3600, 24 * 3600

NUMBERS = ("collateral_grace", "max_block_age", "attestation_ttl", "addition_delay")
FIELDS = frozenset({"root", "owner", "guardians", "identity_registry", "salt", *NUMBERS})


@dataclass(frozen=True)
class Parameters:
    """A parameter file, checked. Times in seconds, ages in blocks, addresses with their checksum."""

    name: str
    root: str
    collateral_grace: int
    max_block_age: int
    attestation_ttl: int
    addition_delay: int
    owner: str
    guardians: tuple[str, ...]
    identity_registry: str
    salt: str

    @property
    def development(self) -> bool:
        return self.root == DEVELOPMENT

    @property
    def create2_salt(self) -> bytes:
        """Keccak-256 of the salt's text, 32 bytes."""
        return bytes(keccak(text=self.salt))

    def root_certificate(self) -> bytes:
        """The root's certificate, DER."""
        if self.development:
            from xmtp_tee.attestation.simulator import development_root_certificate

            return development_root_certificate()
        path = (PARAMETERS / self.root).resolve()
        if not path.is_file():
            raise click.ClickException(f"no root certificate: got {path}, expected a DER file")
        return path.read_bytes()

    def as_dict(self, owner: str) -> dict[str, object]:
        """What the deployment file says of them."""
        return {
            "root": DEVELOPMENT if self.development else Path(self.root).name,
            "collateralGrace": self.collateral_grace,
            "maxBlockAge": self.max_block_age,
            "attestationTtl": self.attestation_ttl,
            "additionDelay": self.addition_delay,
            "owner": owner,
            "guardians": list(self.guardians),
            "identityRegistry": self.identity_registry,
            "salt": self.salt,
        }


def load_parameters(name: str) -> Parameters:
    """Read scripts/parameters/NAME.yaml, or a path; every field must be there and nothing else."""
    path = Path(name) if name.endswith(".yaml") else PARAMETERS / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in PARAMETERS.glob("*.yaml")))
        raise click.ClickException(f"no parameters: got {name}, expected one of {known}")
    return parameters_from(yaml.safe_load(path.read_text(encoding="utf-8")), path)


def parameters_from(data: Any, path: Path) -> Parameters:
    """Check every field of a parsed parameter file."""
    if not isinstance(data, dict) or set(data) != FIELDS:
        got = sorted(map(str, data)) if isinstance(data, dict) else type(data).__name__
        raise click.ClickException(f"{path.name}: got {got}, expected exactly {sorted(FIELDS)}")
    for field in NUMBERS:
        if type(data[field]) is not int or data[field] < 0:
            _refuse(path, field, data[field], "a whole number, 0 or more")
    if not 0 < data["max_block_age"] <= MAX_BLOCK_AGE_LIMIT:
        _refuse(
            path, "max_block_age", data["max_block_age"], f"1..{MAX_BLOCK_AGE_LIMIT} (EIP-2935)"
        )
    delay = data["addition_delay"]
    if delay != 0 and not HOUR <= delay <= 30 * DAY:
        _refuse(path, "addition_delay", delay, f"0, or {HOUR}..{30 * DAY}")
    if not isinstance(data["salt"], str) or not data["salt"]:
        _refuse(path, "salt", data["salt"], "some text")
    if not isinstance(data["guardians"], list):
        _refuse(path, "guardians", data["guardians"], "a list of addresses, [] for none")
    guardians = tuple(_address(path, "guardians", item) for item in data["guardians"])
    if len(set(guardians)) != len(guardians) or ZERO_ADDRESS in guardians:
        _refuse(path, "guardians", data["guardians"], "different addresses, none of them zero")
    identities = data["identity_registry"]
    return Parameters(
        name=path.stem,
        root=str(data["root"]),
        salt=data["salt"],
        owner=_address(path, "owner", data["owner"]) if data["owner"] else "",
        guardians=guardians,
        identity_registry=_address(path, "identity_registry", identities)
        if identities
        else ZERO_ADDRESS,
        **{field: data[field] for field in NUMBERS},
    )


def _address(path: Path, field: str, value: object) -> str:
    if not isinstance(value, str) or not is_proper_address(value):
        _refuse(
            path, field, value, "an address, 0x and 40 hex digits, with a right checksum if any"
        )
    return str(to_checksum_address(str(value)))


def is_proper_address(text: str) -> bool:
    """Whether this is an address with 0x; in mixed case (ERC-55) its checksum must be right."""
    if not text.startswith("0x") or not is_address(text):
        return False
    digits = text[2:]
    return digits in (digits.lower(), digits.upper()) or is_checksum_address(text)


def _refuse(path: Path, field: str, got: object, expected: str) -> None:
    raise click.ClickException(f"{path.name}: {field}: got {got!r}, expected {expected}")
