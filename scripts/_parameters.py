"""The parameters of a deployment: scripts/parameters/NAME.yaml, read strictly."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import click
import yaml
from eth_utils import is_address, is_checksum_address, keccak, to_checksum_address

from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.sevsnp.product import ProductLine, Tcb

ROOT = Path(__file__).resolve().parent.parent
PARAMETERS = ROOT / "scripts" / "parameters"
DEVELOPMENT = "development"
ZERO_ADDRESS = "0x" + "00" * 20

MAX_BLOCK_AGE_LIMIT = 8191  # EIP-2935
HOUR, DAY = 3600, 24 * 3600
TEES = {kind.label: kind for kind in (TeeKind.TDX, TeeKind.SGX, TeeKind.NITRO, TeeKind.SEV_SNP)}
# What the contracts refuse at construction: refused here before anything is compiled, and by its name.
BOUNDS = {
    "collateral_grace": (0, 30 * DAY),
    "nitro_grace": (0, 30 * DAY),
    "max_block_age": (1, MAX_BLOCK_AGE_LIMIT),
    "attestation_ttl": (1, 365 * DAY),
    "addition_delay": (0, 30 * DAY),
}


@dataclass(frozen=True)
class Parameters:
    """A parameter file, checked. Times in seconds, ages in blocks, addresses with their checksum."""

    name: str
    tees: tuple[TeeKind, ...]
    root: str
    collateral_grace: int
    nitro_root: str
    nitro_grace: int
    sev_snp_floors: dict[ProductLine, Tcb]
    sev_snp_floor_keeper: str
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

    def require_roots(self) -> None:
        """Refuse root certificates that are not there, before anything is compiled."""
        self.root_certificate()
        if TeeKind.NITRO in self.tees:
            self.nitro_root_certificate()

    def root_certificate(self) -> bytes:
        """Intel's root, or the simulator's: a certificate in DER."""
        if self.development:
            from xmtp_tee.attestation.simulator import development_root_certificate

            return development_root_certificate()
        return _certificate(self.root)

    def nitro_root_certificate(self) -> bytes:
        """AWS's root, or the simulator's: a certificate in DER."""
        if self.nitro_root == DEVELOPMENT:
            from xmtp_tee.attestation.simulator.nitro import development_nitro_root

            return development_nitro_root()
        return _certificate(self.nitro_root)

    def sev_snp_roots(self) -> list[tuple[int, int, bytes, bytes, bytes]]:
        """What is pinned of each of AMD's product lines: product, floor, key hashes of ARK, ASK and ASVK."""
        from xmtp_tee.attestation.sevsnp.anchors import AMD_ANCHORS
        from xmtp_tee.attestation.simulator.sevsnp import development_snp_pki

        amd = {anchor.product: anchor for anchor in AMD_ANCHORS}
        roots = []
        for product, tcb in sorted(self.sev_snp_floors.items()):
            pinned = development_snp_pki(product).anchor() if self.development else amd[product]
            floor = int.from_bytes(tcb.encode(product), "little")
            roots.append((int(product), floor, pinned.ark, pinned.ask, pinned.asvk))
        return roots

    def as_dict(self, owner: str) -> dict[str, object]:
        """What the deployment file says of them: all from which the addresses follow, root certificates as hex of DER.

        :func:`recorded` reads it back.
        """
        root, nitro_root = self.root, Path(self.nitro_root).name
        if not self.development:
            root = "0x" + self.root_certificate().hex()
            if TeeKind.NITRO in self.tees:
                nitro_root = "0x" + self.nitro_root_certificate().hex()
        return {
            "tees": [kind.label for kind in self.tees],
            "root": root,
            "collateralGrace": self.collateral_grace,
            "nitroRoot": nitro_root,
            "nitroGrace": self.nitro_grace,
            "sevSnpFloors": {line.label: asdict(tcb) for line, tcb in self.sev_snp_floors.items()},
            "sevSnpFloorKeeper": self.sev_snp_floor_keeper,
            "maxBlockAge": self.max_block_age,
            "attestationTtl": self.attestation_ttl,
            "additionDelay": self.addition_delay,
            "owner": owner,
            "guardians": list(self.guardians),
            "identityRegistry": self.identity_registry,
            "salt": self.salt,
        }


_HEX = re.compile("0x([0-9a-f]{2})+")
FIELDS = frozenset(field.name for field in fields(Parameters)) - {"name"}


def load_parameters(name: str, further_tees: Iterable[str] = ()) -> Parameters:
    """Read scripts/parameters/NAME.yaml, or a path; every field must be there and nothing else.

    ``further_tees`` are accepted besides those that the file names.
    """
    path = Path(name) if name.endswith(".yaml") else PARAMETERS / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in PARAMETERS.glob("*.yaml")))
        raise click.ClickException(f"no parameters: got {name}, expected one of {known}")
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    if isinstance(data, dict) and isinstance(data.get("tees"), list):
        data["tees"] = list(dict.fromkeys([*data["tees"], *further_tees]))
    return parameters_from(data, path)


def parameters_from(data: Any, path: Path) -> Parameters:
    """Check every field of a parsed parameter file."""
    if not isinstance(data, dict) or set(data) != FIELDS:
        got = sorted(map(str, data)) if isinstance(data, dict) else type(data).__name__
        raise click.ClickException(f"{path.name}: got {got}, expected exactly {sorted(FIELDS)}")
    for field, (least, most) in BOUNDS.items():
        if type(data[field]) is not int or not least <= data[field] <= most:
            _refuse(path, field, data[field], f"a whole number, {least}..{most}")
    delay = data["addition_delay"]
    if delay != 0 and not HOUR <= delay <= 30 * DAY:
        _refuse(path, "addition_delay", delay, f"0, or {HOUR}..{30 * DAY}")
    for field in ("salt", "root", "nitro_root"):
        if not isinstance(data[field], str) or not data[field]:
            _refuse(path, field, data[field], "some text")
    tees = tees_from(data["tees"], path)
    if TeeKind.NITRO in tees and (data["nitro_root"] == DEVELOPMENT) != (
        data["root"] == DEVELOPMENT
    ):
        _refuse(path, "nitro_root", data["nitro_root"], "a development root for both, or for none")
    floors = _floors(data["sev_snp_floors"], path)
    if TeeKind.SEV_SNP in tees and not floors:
        _refuse(path, "sev_snp_floors", data["sev_snp_floors"], "a floor for each product line")
    if not isinstance(data["guardians"], list):
        _refuse(path, "guardians", data["guardians"], "a list of addresses, [] for none")
    guardians = tuple(_address(path, "guardians", item) for item in data["guardians"])
    if len(set(guardians)) != len(guardians) or ZERO_ADDRESS in guardians:
        _refuse(path, "guardians", data["guardians"], "different addresses, none of them zero")

    def address_or(field: str, empty: str) -> str:
        return _address(path, field, data[field]) if data[field] else empty

    return Parameters(
        name=path.stem,
        tees=tees,
        root=_beside(path, data["root"]),
        nitro_root=_beside(path, data["nitro_root"]),
        sev_snp_floors=floors,
        sev_snp_floor_keeper=address_or("sev_snp_floor_keeper", ZERO_ADDRESS),
        salt=data["salt"],
        owner=address_or("owner", ""),
        guardians=guardians,
        identity_registry=address_or("identity_registry", ZERO_ADDRESS),
        **{field: data[field] for field in BOUNDS},
    )


def recorded(parameters: Mapping[str, object], path: Path) -> Parameters:
    """Read what :meth:`Parameters.as_dict` wrote into a deployment file, as strictly as a parameter file."""
    return parameters_from(
        {
            re.sub("[A-Z]", lambda c: "_" + c[0].lower(), name): parameters[name]
            for name in parameters
        },
        path,
    )


def tees_from(labels: Any, path: Path) -> tuple[TeeKind, ...]:
    """Read which TEEs' evidence is accepted: TDX, and perhaps others."""
    expected = f"a list with tdx, and of {', '.join(TEES)} alone"
    if not isinstance(labels, list) or "tdx" not in labels:
        _refuse(path, "tees", labels, expected)
    if len(set(labels)) != len(labels) or not set(labels) <= set(TEES):
        _refuse(path, "tees", labels, expected)
    return tuple(kind for label, kind in TEES.items() if label in labels)


def is_proper_address(text: str) -> bool:
    """Whether this is an address with 0x; in mixed case (ERC-55) its checksum must be right."""
    if not text.startswith("0x") or not is_address(text):
        return False
    digits = text[2:]
    return digits in (digits.lower(), digits.upper()) or is_checksum_address(text)


def _floors(data: Any, path: Path) -> dict[ProductLine, Tcb]:
    lines = {line.label: line for line in ProductLine}
    parts = {field.name for field in fields(Tcb)}
    if not isinstance(data, dict) or not set(data) <= set(lines):
        _refuse(path, "sev_snp_floors", data, f"of {', '.join(lines)} alone")
    for label, tcb in data.items():
        if (
            not isinstance(tcb, dict)
            or not set(tcb) <= parts
            or not all(type(value) is int and 0 <= value <= 255 for value in tcb.values())
            or not any(tcb.values())
        ):
            _refuse(path, "sev_snp_floors", tcb, f"of {', '.join(sorted(parts))}, 0..255 each")
        if tcb.get("fmc", 0) and lines[label] is not ProductLine.TURIN:
            _refuse(path, "sev_snp_floors", {label: tcb}, "fmc for Turin alone")
    return {lines[label]: Tcb(**tcb) for label, tcb in data.items()}


def _beside(path: Path, root: str) -> str:
    """A root as the parameter file names it: its file lies relative to that one."""
    return root if root == DEVELOPMENT or _HEX.fullmatch(root) else str(path.parent / root)


def _certificate(root: str) -> bytes:
    if _HEX.fullmatch(root):
        return bytes.fromhex(root[2:])
    path = Path(root).resolve()
    if not path.is_file():
        raise click.ClickException(f"no root certificate: got {path}, expected a DER file")
    return path.read_bytes()


def _address(path: Path, field: str, value: object) -> str:
    if not isinstance(value, str) or not is_proper_address(value):
        _refuse(
            path, field, value, "an address, 0x and 40 hex digits, with a right checksum if any"
        )
    return str(to_checksum_address(str(value)))


def _refuse(path: Path, field: str, got: object, expected: str) -> None:
    raise click.ClickException(f"{path.name}: {field}: got {got!r}, expected {expected}")
