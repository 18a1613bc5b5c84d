"""The steps of the story, in order. Each does one thing and says what came of it."""

from __future__ import annotations

import stat

from xmtp_tee.attestation.judgement import Expectations
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.offline import judge_offline
from xmtp_tee.attestation.simulator import CollateralRecipe
from xmtp_tee.attestation.simulator.trust import COLLATERAL_AGE, development_trust
from xmtp_tee.client.accounts import NodeSender
from xmtp_tee.client.chain import Chain
from xmtp_tee.client.chain_errors import KeyRevoked
from xmtp_tee.client.collateral import CollateralSync
from xmtp_tee.client.deployment import Deployment
from xmtp_tee.client.evidence_encoding import SNP_VERIFIER, missing_signer
from xmtp_tee.client.key_manager import KeyManager
from xmtp_tee.demo import processes
from xmtp_tee.demo.report import Done
from xmtp_tee.demo.stage import ROLES, Stage
from xmtp_tee.errors import XmtpTeeError


def start_anvil(stage: Stage) -> Done:
    """Start a chain of our own."""
    port = processes.free_port()
    stage.rpc_url = f"http://127.0.0.1:{port}"
    chain = stage.chain = Chain(stage.rpc_url)
    process = processes.anvil(stage.root, port, stage.folder / "anvil.log")
    stage.stack.enter_context(process).wait_until(lambda: _answers(chain))
    accounts = chain.web3.eth.accounts
    stage.senders = {role: NodeSender(accounts[index]) for role, index in ROLES.items()}
    return Done(f"hardfork osaka, chain id {chain.chain_id}, port {port}")


def deploy(stage: Stage) -> Done:
    """Deploy with the Ape script, as anybody would."""
    path = stage.folder / "deployment.json"
    words = ["deploy", "--network", "ethereum:local:foundry", "--output", str(path)]
    if stage.tee.kind is not TeeKind.TDX:
        words += ["--tee", stage.tee.kind.label]
    processes.run_script(stage.root, words, stage.rpc_url, stage.folder / "deploy.log")
    deployment = stage.deployment = Deployment.load(path)
    if not deployment.development_root:
        raise RuntimeError("the demonstration must pin the development root")
    chain = stage.need(stage.chain)
    gas = sum(chain.gas_of_block(number) for number in range(1, chain.block().number + 1))
    return Done(f"{len(deployment.contracts)} contracts; DEVELOPMENT root pinned", gas)


def bring_collateral(stage: Stage) -> Done:
    """Bring what the verifier must have before the first evidence: DCAP's collateral, or AMD's certifying key."""
    chain, deployment = stage.need(stage.chain), stage.need(stage.deployment)
    if stage.tee.kind is TeeKind.NITRO:
        return Done("none: a Nitro document carries its certificates itself")
    if stage.tee.kind is TeeKind.SEV_SNP:
        return _bring_signer(stage)
    collateral = CollateralRecipe().build(chain.block().timestamp - COLLATERAL_AGE)
    sync = CollateralSync(chain, deployment)
    submitted = sync.submit(collateral, stage.senders["deployer"])
    gas = sum(item.gas for item in submitted)
    return Done(f"{len(submitted)} pieces, each signed under the root", gas)


def _bring_signer(stage: Stage) -> Done:
    """Submit the development ASK's certificate, which any report of the platform carries."""
    chain, deployment = stage.need(stage.chain), stage.need(stage.deployment)
    probe = stage.tee.driver(stage.folder / "probe", b"").quote(bytes(64))
    signer = missing_signer(chain, deployment, probe)
    if signer is None:
        return Done("the verifier has it already")
    verifier = chain.contract(SNP_VERIFIER, deployment.address(SNP_VERIFIER))
    function = verifier.functions.submitSigner(int(signer.product), signer.ark, signer.signer)
    receipt = chain.transact(function, stage.senders["deployer"])
    return Done(f"the key that certifies chips of {signer.product.label}", receipt.gas_used)


def trust_workload(stage: Stage) -> Done:
    """Put the measurement of this very code into the policy, computed from the source."""
    chain, deployment = stage.need(stage.chain), stage.need(stage.deployment)
    policy = chain.contract("EnclavePolicy", deployment.address("EnclavePolicy"))
    workload = stage.tee.workload()
    function = policy.functions.addWorkload(workload, 4, "this checkout", bytes(20))
    receipt = chain.transact(function, stage.senders["deployer"])
    return Done(f"workload 0x{workload.hex()[:16]}...", receipt.gas_used)


def start_enclave(stage: Stage) -> Done:
    """Start the enclave as a process of its own."""
    process = processes.enclave(stage.root, stage.folder, stage.tee.name)
    socket = stage.folder / "enclave.sock"
    stage.stack.enter_context(process).wait_until(lambda: socket.exists() and _pings(stage))
    mode = stat.S_IMODE(socket.stat().st_mode)
    if mode != 0o600:
        raise RuntimeError(f"the enclave's socket has mode {mode:04o}, expected 0600")
    stage.keys = stage.stack.enter_context(KeyManager(socket))
    info = stage.keys.info()
    return Done(
        f"pid {process.pid}, simulated {info.tee}, socket mode 0600, level {info.assurance}"
    )


def make_keys(stage: Stage) -> Done:
    """Have the owner's keys made inside."""
    keys = stage.need(stage.keys)
    owner = stage.senders["owner"].address
    identity = stage.identity["owner"] = keys.generate_identity_key(owner)
    pre_key = stage.pre_keys["owner"] = keys.generate_pre_key(identity.id)
    return Done(f"Ed25519 0x{identity.public_key.hex()[:16]}..., X25519 epoch {pre_key.epoch}")


def quote_and_verify(stage: Stage) -> Done:
    """Get a quote, and verify it off chain with the Python verifier."""
    chain, deployment = stage.need(stage.chain), stage.need(stage.deployment)
    attestation = stage.registry("owner").evidence().attestation
    now = chain.block().timestamp
    expected = Expectations(
        [stage.tee.workload()],
        deployment.chain_id,
        bytes.fromhex(deployment.address("EnclaveRegistry").removeprefix("0x")),
    )
    verdict = judge_offline(attestation, development_trust(attestation.tee, now), now, expected)
    if verdict.failed:
        raise RuntimeError(f"the quote does not verify: {verdict.sentence}")
    size = len(attestation.quote)
    return Done(
        f"{stage.tee.evidence_name}, {size:,} bytes, bound to block {attestation.block_number}; "
        f"{len(verdict.checks)} checks in Python"
    )


def register_with_quote(stage: Stage) -> Done:
    """Register the owner's bundle; the contracts verify the quote."""
    done = stage.registry("owner").register_on_chain(stage.identity["owner"].id)
    if not done.with_quote:
        raise RuntimeError("the first registration must bring the quote")
    stage.published["owner"] = done
    return Done(
        "quote, TCB, policy, binding and certificate verified on chain", done.receipt.gas_used
    )


def register_certified(stage: Stage) -> Done:
    """Register a second owner's bundle with the certificate alone."""
    keys = stage.need(stage.keys)
    role = "second owner"
    identity = stage.identity[role] = keys.generate_identity_key(stage.senders[role].address)
    stage.pre_keys[role] = keys.generate_pre_key(identity.id)
    done = stage.registry(role).register_on_chain(identity.id)
    if done.with_quote:
        raise RuntimeError("the enclave is attested already: no quote should be needed")
    stage.published[role] = done
    return Done("certificate alone: the enclave is attested already", done.receipt.gas_used)


def rotate(stage: Stage) -> Done:
    """Rotate the owner's pre-key."""
    identity = stage.identity["owner"]
    pre_key = stage.need(stage.keys).generate_pre_key(identity.id)
    done = stage.registry("owner").rotate_pre_key_on_chain(identity.id, pre_key.id)
    return Done(f"epoch {done.certificate.epoch}", done.receipt.gas_used)


def compare(stage: Stage) -> Done:
    """Read the entry back and compare every field with the enclave."""
    owner, identity = stage.senders["owner"].address, stage.identity["owner"]
    verdict = stage.registry("owner").verify_registration(
        owner, identity.public_key, accept_simulated=True
    )
    return Done(f"{len(verdict.checks)} checks, none failed; level {verdict.level.label}")


def revoke(stage: Stage) -> Done:
    """Revoke the second owner's bundle, and see that it is gone."""
    role = "second owner"
    registry, identity = stage.registry(role), stage.identity[role]
    receipt = registry.revoke_on_chain(identity.public_key)
    try:
        registry.get_on_chain_key(stage.senders[role].address, identity.public_key)
    except KeyRevoked:
        return Done("revoked for ever", receipt.gas_used)
    raise RuntimeError("the registry still offers a revoked bundle")


def _answers(chain: Chain) -> bool:
    try:
        return chain.chain_id > 0
    except XmtpTeeError:
        return False


def _pings(stage: Stage) -> bool:
    try:
        with KeyManager(stage.folder / "enclave.sock", timeout=5.0) as keys:
            keys.ping()
    except XmtpTeeError:
        return False
    return True
