"""A whole deployment on a chain of its own, and an enclave process: what the end-to-end tests stand on."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.chain import ROOT, Anvil
from tests.support.chain import Chain as DeployChain
from tests.support.maker import MAKER_WORKLOAD, Maker
from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.address import parse_address
from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.drivers import measure_code
from xmtp_tee.attestation.evidence import Attestation
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.simulator import (
    CollateralRecipe,
    QuoteRecipe,
    TdRecipe,
    development_root_certificate,
)
from xmtp_tee.attestation.workload import tdx_workload_id
from xmtp_tee.client.accounts import NodeSender
from xmtp_tee.client.chain import Block, Chain, Receipt
from xmtp_tee.client.collateral import CollateralSync
from xmtp_tee.client.deployment import Deployment
from xmtp_tee.client.key_manager import KeyManager
from xmtp_tee.client.proof import Evidence, encode_proof
from xmtp_tee.client.registry import RegistrySync
from xmtp_tee.client.registry_reader import RegistryReader
from xmtp_tee.demo import processes
from xmtp_tee.errors import XmtpTeeError

MAX_BLOCK_AGE = 64
ATTESTATION_TTL = 7 * 24 * 3600
EXPIRY = 30 * 24 * 3600
COLLATERAL_AGE = 3600
NO_DELAY = 0
OWNER, SECOND_OWNER, STRANGER = 1, 2, 3


def deploy(
    chain: DeployChain,
    root: bytes,
    *,
    development: bool,
    grace: int = 0,
    identity_registry: str | None = None,
    further: Mapping[TeeKind, tuple[str, Any]] | None = None,
) -> Deployment:
    """Deploy all six contracts from forge's artifacts; the first account owns the policy, without a delay.

    ``further``: verifiers of other kinds than TDX, by name and contract.
    """
    first = chain.web3.eth.block_number
    verifier = chain.deploy("DcapVerifier", root, grace)
    others = further or {}
    router = chain.deploy(
        "AttestationVerifier",
        [int(TeeKind.TDX), *(int(kind) for kind in others)],
        [verifier.address, *(contract.address for _, contract in others.values())],
    )
    policy = chain.deploy("EnclavePolicy", chain.accounts[0], NO_DELAY)
    enclaves = chain.deploy(
        "EnclaveRegistry", router.address, policy.address, MAX_BLOCK_AGE, ATTESTATION_TTL
    )
    identities = "0x" + "00" * 20 if identity_registry is None else identity_registry
    keys = chain.deploy("KeyRegistry", enclaves.address, identities)
    anchors = chain.deploy("FreshnessAnchor")
    return Deployment(
        network="ethereum:local",
        chain_id=chain.web3.eth.chain_id,
        development_root=development,
        deployed_at_block=first,
        contracts={
            "KeyRegistry": keys.address,
            "EnclaveRegistry": enclaves.address,
            "EnclavePolicy": policy.address,
            "AttestationVerifier": router.address,
            "DcapVerifier": verifier.address,
            "FreshnessAnchor": anchors.address,
            **{name: contract.address for name, contract in others.values()},
        },
    )


@dataclass
class World:
    """A deployment under the development root, with collateral and two trusted workloads."""

    url: str
    chain: Chain
    deployment: Deployment
    collateral: Collateral
    senders: list[NodeSender]

    @property
    def reader(self) -> RegistryReader:
        return RegistryReader(self.chain, self.deployment)

    @property
    def now(self) -> int:
        return self.chain.block().timestamp

    def contract(self, name: str) -> Any:
        return self.chain.contract(name, self.deployment.address(name))

    def registry(self, keys: KeyManager, account: int) -> RegistrySync:
        return RegistrySync(self.chain, self.deployment, keys, self.senders[account])

    def address(self, account: int) -> bytes:
        return parse_address(self.senders[account].address)

    # --- evidence ----------------------------------------------------------------------------------

    def certificate(self, maker: Maker, account: int, **changes: Any) -> Any:
        """A certificate of ``maker`` for an account's bundle in this deployment."""
        wanted: dict[str, Any] = {
            "chain_id": self.deployment.chain_id,
            "key_registry": parse_address(self.deployment.address("KeyRegistry")),
            "owner": self.address(account),
            "expires_at": self.now + EXPIRY,
        }
        return maker.certificate(**wanted | changes)

    def attestation(
        self,
        maker: Maker,
        block: Block | None = None,
        recipe: QuoteRecipe | None = None,
        **changes: Any,
    ) -> Attestation:
        """An attestation of ``maker`` that binds this deployment and a recent block."""
        bound = block or self.chain.block(max(self.chain.block().number - 1, 0))
        wanted: dict[str, Any] = {
            "chain_id": self.deployment.chain_id,
            "enclave_registry": parse_address(self.deployment.address("EnclaveRegistry")),
            "block_number": bound.number,
            "block_hash": bound.hash,
        }
        return maker.attestation(**wanted | changes, recipe=recipe)

    def evidence(self, attestation: Attestation) -> Evidence:
        sync = CollateralSync(self.chain, self.deployment)
        return Evidence(attestation, sync.encode_quote(attestation.quote))

    # --- transactions ------------------------------------------------------------------------------

    def attest(self, attestation: Attestation, account: int = STRANGER, **changes: Any) -> Receipt:
        """Bring an attestation to the EnclaveRegistry; ``changes`` replace what is claimed."""
        claimed: dict[str, Any] = {
            "authority": "0x" + attestation.authority.hex(),
            "transport_key": attestation.transport_key,
            "block_number": attestation.block_number,
        }
        claimed |= changes
        encoded = claimed.pop("evidence", None) or self.evidence(attestation).encoded
        claimed["authority"] = self.chain.web3.to_checksum_address(claimed["authority"])
        function = self.contract("EnclaveRegistry").functions.attest(*claimed.values(), encoded)
        return self.chain.transact(function, self.senders[account])

    def publish(
        self,
        function: str,
        certificate: Any,
        authority: bytes,
        account: int,
        *,
        evidence: Evidence | None = None,
        proof: bytes | None = None,
    ) -> Receipt:
        """Call register or rotate with a certificate as it is."""
        if proof is None:
            proof = encode_proof(certificate, authority, evidence)
        call = getattr(self.contract("KeyRegistry").functions, function)(
            certificate.identity_key, certificate.pre_key, certificate.pre_key_signature, proof
        )
        return self.chain.transact(call, self.senders[account])

    def register(self, certificate: Any, authority: bytes, account: int, **more: Any) -> Receipt:
        return self.publish(
            "registerKeyBundleWithAttestation", certificate, authority, account, **more
        )

    def rotate(self, certificate: Any, authority: bytes, account: int, **more: Any) -> Receipt:
        return self.publish("rotatePreKey", certificate, authority, account, **more)

    # --- time and state ----------------------------------------------------------------------------

    def mine(self, blocks: int) -> None:
        self.chain.request("anvil_mine", hex(blocks))

    def warp(self, seconds: int) -> None:
        self.chain.request("evm_increaseTime", seconds)
        self.mine(1)

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Undo on leaving whatever happened on the chain."""
        snapshot = self.chain.request("evm_snapshot")
        try:
            yield
        finally:
            self.chain.request("evm_revert", snapshot)


@contextmanager
def open_world(
    *,
    identity_registry: str | None = None,
    code: bytes = b"",
    further: Callable[[DeployChain], Mapping[TeeKind, tuple[str, Any]]] | None = None,
) -> Iterator[World]:
    """Start anvil, deploy under the development root, bring collateral, trust both workloads.

    ``code`` is put at ``identity_registry`` first: agents are its tokens then. ``further`` deploys verifiers of other
    kinds than TDX.
    """
    with Anvil() as anvil:
        deployer = DeployChain(anvil)
        if identity_registry is not None:
            deployer.set_code(identity_registry, code)
        deployment = deploy(
            deployer,
            development_root_certificate(),
            development=True,
            identity_registry=identity_registry,
            further=None if further is None else further(deployer),
        )
        chain = Chain(anvil.url)
        senders = [NodeSender(address) for address in deployer.accounts]
        collateral = CollateralRecipe().build(chain.block().timestamp - COLLATERAL_AGE)
        CollateralSync(chain, deployment).submit(collateral, senders[0])
        policy = chain.contract("EnclavePolicy", deployment.address("EnclavePolicy"))
        this_code = tdx_workload_id(TdRecipe(mr_td=measure_code()).build())
        for workload in (this_code, MAKER_WORKLOAD):
            function = policy.functions.addWorkload(
                workload, int(AssuranceLevel.MEMBER), "tests", bytes(20)
            )
            chain.transact(function, senders[0])
        yield World(anvil.url, chain, deployment, collateral, senders)


@contextmanager
def enclave_process(folder: Path | None = None, *tees: str) -> Iterator[Path]:
    """Run the enclave as a process of its own, which stands for ``tees`` (TDX unless given); yield its socket."""
    with ExitStack() as stack:
        if folder is None:
            # A socket's path must be short, and pytest's folders are not.
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="xmtp-tee-")))
        process = stack.enter_context(processes.enclave(ROOT, folder, *(tees or ("tdx",))))
        socket = folder / "enclave.sock"
        process.wait_until(lambda: _answers(socket))
        yield socket


def _answers(socket: Path) -> bool:
    if not socket.exists():
        return False
    try:
        with KeyManager(socket, timeout=5.0) as keys:
            keys.ping()
    except XmtpTeeError:
        return False
    return True
