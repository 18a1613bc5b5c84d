"""What a deployment consists of: which contracts, with which arguments, at which addresses."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from scripts._artifacts import Build
from scripts._create2 import create2_address
from scripts._parameters import Parameters
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.p384 import tables

ALWAYS = (
    "DcapVerifier",
    "AttestationVerifier",
    "EnclavePolicy",
    "EnclaveRegistry",
    "KeyRegistry",
    "FreshnessAnchor",
)
FOR_NITRO = ("P384", "Sha384Hasher", "NitroVerifier")
FOR_SEV_SNP = ("P384", "SevSnpVerifier")
ROUTED = {
    TeeKind.TDX: "DcapVerifier",
    TeeKind.SGX: "DcapVerifier",
    TeeKind.NITRO: "NitroVerifier",
    TeeKind.SEV_SNP: "SevSnpVerifier",
}
"""Who verifies each TEE's evidence."""


@dataclass(frozen=True)
class Piece:
    """One contract of the plan; ``creation_code`` includes its arguments."""

    build: Build
    creation_code: bytes
    address: str

    @property
    def name(self) -> str:
        return self.build.name

    @property
    def is_table(self) -> bool:
        """Whether it holds data alone: P384 compared its code at construction, and nobody else asks for it."""
        return not self.build.abi


def names(tees: Collection[TeeKind]) -> list[str]:
    """Return every contract that forge compiles for a deployment that accepts evidence of these TEEs."""
    wanted = dict.fromkeys(ALWAYS)
    if TeeKind.NITRO in tees:
        wanted |= dict.fromkeys(FOR_NITRO)
    if TeeKind.SEV_SNP in tees:
        wanted |= dict.fromkeys(FOR_SEV_SNP)
    return list(wanted)


class Plan:
    """Every contract in the order of deployment: each asks those before it when it is made.

    Asks no chain: addresses follow from code and parameters.
    """

    def __init__(self, parameters: Parameters, owner: str, builds: Mapping[str, Build]) -> None:
        self.pieces: list[Piece] = []
        self._salt = parameters.create2_salt
        self._builds = builds

        dcap = self._dcap(parameters)
        verifiers = {TeeKind.TDX: dcap}
        if TeeKind.SGX in parameters.tees:
            verifiers[TeeKind.SGX] = dcap
        if TeeKind.NITRO in parameters.tees:
            verifiers[TeeKind.NITRO] = self._nitro(parameters)
        if TeeKind.SEV_SNP in parameters.tees:
            verifiers[TeeKind.SEV_SNP] = self._sev_snp(parameters)
        kinds = [int(kind) for kind in verifiers]
        router = self._add("AttestationVerifier", kinds, list(verifiers.values()))
        policy = self._add("EnclavePolicy", owner, parameters.addition_delay)
        enclaves = self._add(
            "EnclaveRegistry", router, policy, parameters.max_block_age, parameters.attestation_ttl
        )
        self._add("KeyRegistry", enclaves, parameters.identity_registry)
        self._add("FreshnessAnchor")

    def _dcap(self, parameters: Parameters) -> str:
        root = parameters.root_certificate()
        return self._add("DcapVerifier", root, parameters.collateral_grace)

    def _nitro(self, parameters: Parameters) -> str:
        p384, hasher = self._p384(), self._add("Sha384Hasher")
        root, grace = parameters.nitro_root_certificate(), parameters.nitro_grace
        return self._add("NitroVerifier", p384, hasher, root, grace)

    def _sev_snp(self, parameters: Parameters) -> str:
        keeper, roots = parameters.sev_snp_floor_keeper, parameters.sev_snp_roots()
        return self._add("SevSnpVerifier", self._p384(), keeper, roots)

    def _p384(self) -> str:
        """Both verifiers of P-384 signatures share one."""
        for piece in self.pieces:
            if piece.name == "P384":
                return piece.address
        low = self._put(_table("P384's low table", tables.low_table()), b"")
        high = self._put(_table("P384's high table", tables.high_table()), b"")
        return self._add("P384", low, high)

    def _add(self, name: str, *arguments: Any) -> str:
        build = self._builds[name]
        constructor = build.container.constructor
        return self._put(build, bytes(constructor.encode_input(*arguments)) if arguments else b"")

    def _put(self, build: Build, arguments: bytes) -> str:
        code = build.creation_code + arguments
        address = create2_address(self._salt, code)
        self.pieces.append(Piece(build, code, address))
        return address


def _table(name: str, runtime: bytes) -> Build:
    return Build(name, [], tables.creation_code(runtime), runtime, ())
