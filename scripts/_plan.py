"""What a deployment consists of: which contracts, with which arguments, at which addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scripts._artifacts import Build
from scripts._create2 import create2_address
from scripts._parameters import Parameters
from xmtp_tee.attestation.kinds import TeeKind

NAMES = (
    "DcapVerifier",
    "AttestationVerifier",
    "EnclavePolicy",
    "EnclaveRegistry",
    "KeyRegistry",
    "FreshnessAnchor",
)
"""In the order of deployment: each asks those before it when it is made; the last stands by itself."""


@dataclass(frozen=True)
class Piece:
    """One contract of the plan; ``creation_code`` includes its arguments."""

    build: Build
    arguments: tuple[Any, ...]
    creation_code: bytes
    address: str

    @property
    def name(self) -> str:
        return self.build.name


def plan(
    parameters: Parameters, owner: str, root_certificate: bytes, builds: Mapping[str, Build]
) -> list[Piece]:
    """Return every contract in the order of deployment. Asks no chain: addresses follow from code and parameters."""
    pieces: dict[str, Piece] = {}

    def add(name: str, *arguments: Any) -> str:
        build = builds[name]
        encoded = bytes(build.container.constructor.encode_input(*arguments))
        code = build.creation_code + encoded
        address = create2_address(parameters.create2_salt, code)
        pieces[name] = Piece(build, arguments, code, address)
        return address

    verifier = add("DcapVerifier", root_certificate, parameters.collateral_grace)
    router = add("AttestationVerifier", [int(TeeKind.TDX)], [verifier])
    policy = add("EnclavePolicy", owner, parameters.addition_delay)
    enclaves = add(
        "EnclaveRegistry", router, policy, parameters.max_block_age, parameters.attestation_ttl
    )
    add("KeyRegistry", enclaves, parameters.identity_registry)
    add("FreshnessAnchor")
    return [pieces[name] for name in NAMES]
