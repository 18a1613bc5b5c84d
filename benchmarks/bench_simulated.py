"""The registry's acts, with quotes of the development PKI: genuine in every byte but the root."""

from __future__ import annotations

import hashlib
from typing import Any

from coincurve import PrivateKey

from benchmarks.bench_chain import BenchChain, bench_chain
from tests.support.maker import MAKER_WORKLOAD, Maker
from xmtp_tee.attestation.address import address_of_public_key, checksum_address, parse_address
from xmtp_tee.attestation.certificate import KeyBundleCertificate, ethereum_signature
from xmtp_tee.attestation.dcap.evidence import known_platform_evidence, new_platform_evidence
from xmtp_tee.attestation.dcap.submissions import plan_submissions
from xmtp_tee.attestation.evidence import Attestation
from xmtp_tee.attestation.simulator import (
    CollateralRecipe,
    Platform,
    QuoteRecipe,
    development_pki,
    development_root_certificate,
)
from xmtp_tee.client.intents import IntentKind, OwnerIntent
from xmtp_tee.client.proof import Evidence, encode_proof

TIME = 1_767_225_600  # 2026-01-01
EXPIRES_AT = TIME + 90 * 24 * 3600
_NAMES = {
    "submitIntermediateCa": "submit_intermediate_ca",
    "submitTcbSigner": "submit_tcb_signer",
    "submitTcbInfo": "submit_tcb_info",
    "submitQeIdentity": "submit_qe_identity",
    "submitPckCertificate": "submit_pck_certificate",
}


class Bench:
    """A deployment with collateral and a trusted workload, and the acts upon it."""

    def __init__(self, chain: BenchChain) -> None:
        self.chain = chain
        self.figures: dict[str, int] = {}
        self.verifier = chain.deploy("DcapVerifier", development_root_certificate(), 0)
        router = chain.deploy("AttestationVerifier", [2], [self.verifier.address])
        self.policy = chain.deploy("EnclavePolicy", chain.accounts[0], 0)
        self.enclaves = chain.deploy(
            "EnclaveRegistry", router.address, self.policy.address, 256, 604_800
        )
        self.agents = chain.deploy("AgentTokens")
        self.keys = chain.deploy("KeyRegistry", self.enclaves.address, self.agents.address)

    def bring_collateral(self) -> None:
        leaf = development_pki().issue_pck().der
        for piece in plan_submissions(CollateralRecipe().build(TIME - 3600), leaf):
            gas = self.chain.gas(
                self.verifier.get_function_by_name(piece.function)(*piece.arguments)
            )
            if piece.function == "submitCrl":
                name = "submit_root_crl" if piece.what.startswith("root") else "submit_pck_ca_crl"
            else:
                name = _NAMES[piece.function]
            self.figures[name] = gas

    def trust_workload(self) -> None:
        function = self.policy.functions.addWorkload(MAKER_WORKLOAD, 4, "benchmarks", bytes(20))
        self.figures["policy_add_workload"] = self.chain.gas(function)

    def tighten_policy(self) -> None:
        """Deny a platform and a family, neither of them the enclaves', and make an exception."""
        functions, until = self.policy.functions, TIME + 60 * 24 * 3600
        for name, function in (
            ("policy_deny_platform", functions.denyPlatform(2, bytes(15) + b"\1")),
            ("policy_deny_family", functions.denyFamily(2, bytes(15) + b"\1")),
            (
                "policy_allow_status",
                functions.allowStatus(MAKER_WORKLOAD, 2, bytes(24 * [1]) + bytes(8), until),
            ),
        ):
            self.figures[name] = self.chain.gas(function)

    def certificate(self, maker: Maker, account: int, epoch: int = 1) -> KeyBundleCertificate:
        return maker.certificate(
            chain_id=self.chain.web3.eth.chain_id,
            key_registry=parse_address(self.keys.address),
            owner=parse_address(self.chain.accounts[account]),
            expires_at=EXPIRES_AT,
            epoch=epoch,
            identity=maker.identity(f"identity {account}"),
        )

    def attestation(
        self, maker: Maker, number: int, recipe: QuoteRecipe | None = None
    ) -> Attestation:
        """Bind one of the blocks from before the deployment: their hashes depend on no contract.

        A quote's zero bytes, which are cheaper, would else change with every line of Solidity.
        """
        block = self.chain.web3.eth.get_block(number)
        return maker.attestation(
            chain_id=self.chain.web3.eth.chain_id,
            enclave_registry=parse_address(self.enclaves.address),
            block_number=block["number"],
            block_hash=bytes(block["hash"]),
            recipe=recipe,
        )

    def publish(
        self,
        function: str,
        maker: Maker,
        account: int,
        *,
        epoch: int = 1,
        evidence: Evidence | None = None,
    ) -> int:
        certificate = self.certificate(maker, account, epoch)
        call: Any = self.keys.get_function_by_name(function)(
            certificate.identity_key,
            certificate.pre_key,
            certificate.pre_key_signature,
            encode_proof(certificate, maker.authority, evidence),
        )
        return self.chain.gas(call, sender=self.chain.accounts[account])

    def signed_registration(self, maker: Maker, number: int) -> tuple[Any, ...]:
        """What the owner with this number signs for anybody to bring: its first bundle."""
        key = PrivateKey(hashlib.sha256(f"owner {number}".encode()).digest())
        certificate = maker.certificate(
            chain_id=self.chain.web3.eth.chain_id,
            key_registry=parse_address(self.keys.address),
            owner=address_of_public_key(key.public_key.format(compressed=False)),
            expires_at=EXPIRES_AT,
            identity=maker.identity(f"delegated identity {number}"),
        )
        intent = OwnerIntent.publishing(
            IntentKind.REGISTER,
            certificate,
            encode_proof(certificate, maker.authority),
            nonce=0,
            deadline=EXPIRES_AT,
        )
        signature = ethereum_signature(key.sign_recoverable(intent.digest(), hasher=None))
        return intent.signed(signature).arguments

    def register_for(self, maker: Maker) -> int:
        arguments = self.signed_registration(maker, 0)
        return self.chain.gas(
            self.keys.functions.registerKeyBundleWithAttestationFor(*arguments),
            sender=self.chain.accounts[6],
        )

    def register_batch(self, maker: Maker) -> int:
        """One transaction; return its gas per owner, rounded up."""
        entries = [self.signed_registration(maker, number) for number in range(1, BATCH + 1)]
        call = self.keys.functions.registerKeyBundles(entries)
        if not all(self.chain.call(call)):
            raise RuntimeError("an entry of the batch was refused")
        return -(-self.chain.gas(call, sender=self.chain.accounts[6]) // BATCH)

    def register_for_agent(self, maker: Maker) -> int:
        holder, agent = self.chain.accounts[7], 0
        self.chain.send(self.agents.functions.register(), sender=holder)
        owner = self.chain.call(self.keys.functions.agentOwner(agent))
        certificate = maker.certificate(
            chain_id=self.chain.web3.eth.chain_id,
            key_registry=parse_address(self.keys.address),
            owner=parse_address(owner),
            expires_at=EXPIRES_AT,
            identity=maker.identity("agent"),
        )
        call = self.keys.functions.registerKeyBundleWithAttestationForAgent(
            agent,
            certificate.identity_key,
            certificate.pre_key,
            certificate.pre_key_signature,
            encode_proof(certificate, maker.authority),
        )
        return self.chain.gas(call, sender=holder)


BATCH = 100
REGISTER = "registerKeyBundleWithAttestation"


def measure_simulated() -> dict[str, int]:
    """Return the figures of a whole life, in one deployment."""
    with bench_chain(TIME) as chain:
        chain.mine_fixed(5)
        bench = Bench(chain)
        bench.bring_collateral()
        bench.trust_workload()
        figures, maker = bench.figures, Maker("benchmark")

        attestation = bench.attestation(maker, 1)
        evidence = Evidence(attestation, known_platform_evidence(attestation.quote))
        figures["register_with_quote_first_on_platform"] = bench.publish(
            REGISTER, maker, 1, evidence=evidence
        )
        figures["register_certified"] = bench.publish(REGISTER, maker, 2)
        figures["rotate_pre_key"] = bench.publish("rotatePreKey", maker, 1, epoch=2)
        figures["register_certified_for"] = bench.register_for(maker)
        figures["register_batch_per_owner"] = bench.register_batch(maker)
        figures["register_for_agent"] = bench.register_for_agent(maker)

        second = Maker("another enclave on the same platform")
        attestation = bench.attestation(second, 2)
        evidence = Evidence(attestation, known_platform_evidence(attestation.quote))
        figures["register_with_quote"] = bench.publish(REGISTER, second, 3, evidence=evidence)

        third = Maker("an enclave on another platform")
        recipe = QuoteRecipe(platform=Platform(ppid=bytes(range(16))))
        attestation = bench.attestation(third, 3, recipe)
        evidence = Evidence(attestation, new_platform_evidence(attestation.quote))
        figures["register_with_quote_new_platform"] = bench.publish(
            REGISTER, third, 4, evidence=evidence
        )

        renewal = bench.attestation(maker, 4)
        figures["attest_renewal"] = chain.gas(
            bench.enclaves.functions.attest(
                checksum_address(maker.authority),
                maker.transport_key,
                renewal.block_number,
                known_platform_evidence(renewal.quote),
            )
        )
        bench.tighten_policy()
        figures["register_certified_under_denials"] = bench.publish(REGISTER, maker, 5)
        identity_key = maker.identity("identity 1").public_key
        figures["revoke"] = chain.gas(
            bench.keys.functions.revokeKeyBundle(identity_key), sender=chain.accounts[1]
        )
    return figures
