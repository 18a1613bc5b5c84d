"""What ``doctor`` asks the chain: does it answer, verify P-256, keep time, carry the deployment?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from xmtp_tee.client.chain import Chain
from xmtp_tee.client.chain_errors import ChainUnavailable
from xmtp_tee.client.deployment import CONTRACTS, Deployment
from xmtp_tee.commands.config import Settings
from xmtp_tee.commands.diagnosis import FAIL, NOT_CHECKED, PASS, WARN, Finding
from xmtp_tee.commands.options import ChainChoice
from xmtp_tee.errors import XmtpTeeError

P256VERIFY = "0x0000000000000000000000000000000000000100"  # EIP-7951
# A chain whose blocks lie in the future makes fresh collateral look lapsed; an idle one merely sleeps.
AHEAD_SECONDS = 60
BEHIND_SECONDS = 3600


def examine(settings: Settings, where: ChainChoice) -> Iterator[Finding]:
    """Yield the findings about chain and deployment."""
    try:
        chain = Chain(settings.require("rpc-url", where.rpc_url))
        chain_id = chain.chain_id
    except XmtpTeeError as error:
        yield Finding("chain", FAIL, str(error), error.next_command or "pass --rpc-url")
        for name in ("P256VERIFY", "clock", "deployment"):
            yield Finding(name, NOT_CHECKED, "the chain does not answer")
        return
    yield Finding("chain", PASS, f"{chain.host}, chain id {chain_id}")
    for name, look in (("P256VERIFY", _p256), ("clock", _clock)):
        try:
            yield look(chain)
        except XmtpTeeError as error:
            yield Finding(name, FAIL, str(error), error.next_command or "ask another node")
    yield from _deployment(chain, chain_id, settings, where.deployment)


def _p256(chain: Chain) -> Finding:
    """Let the chain verify a signature made just now, and one that must not verify."""
    key = ec.generate_private_key(ec.SECP256R1())
    message = b"xmtp-tee doctor"
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
    public = key.public_key().public_numbers()
    digest = hashes.Hash(hashes.SHA256())
    digest.update(message)
    words = [int.from_bytes(digest.finalize(), "big"), r, s, public.x, public.y]
    valid, forged = _call_p256(chain, words), _call_p256(chain, [words[0] ^ 1, *words[1:]])
    works = valid == (1).to_bytes(32, "big") and forged == b""
    return Finding(
        "P256VERIFY",
        PASS if works else FAIL,
        "answers at 0x100" if works else f"no: a valid signature gives 0x{valid.hex() or ''}",
        "the chain needs EIP-7951 (Osaka); with anvil: --hardfork osaka",
    )


def _call_p256(chain: Chain, words: list[int]) -> bytes:
    data = b"".join(word.to_bytes(32, "big") for word in words)
    call = {"to": P256VERIFY, "data": "0x" + data.hex()}
    answer = str(chain.request("eth_call", call, "latest"))
    try:
        return bytes.fromhex(answer.removeprefix("0x"))
    except ValueError as error:
        raise ChainUnavailable("the node's answer cannot be used", got=answer[:80]) from error


def _clock(chain: Chain) -> Finding:
    ahead = chain.block().timestamp - int(time.time())
    text = f"newest block {abs(ahead)} s {'ahead of' if ahead > 0 else 'behind'} this clock"
    if ahead > AHEAD_SECONDS:
        return Finding("clock", FAIL, text, "set this machine's clock (chronyc tracking)")
    if ahead < -BEHIND_SECONDS:
        return Finding("clock", WARN, text, "the chain is idle, or the node is out of sync")
    return Finding("clock", PASS, text)


def _deployment(
    chain: Chain, chain_id: int, settings: Settings, flag: Path | None
) -> Iterator[Finding]:
    setting = settings.find("deployment", flag)
    if setting is None:
        advice = "pass --deployment, or set XMTP_TEE_DEPLOYMENT"
        yield Finding("deployment", NOT_CHECKED, "none named", advice)
        return
    try:
        deployment = Deployment.load(Path(setting.value))
    except XmtpTeeError as error:
        yield Finding("deployment", FAIL, str(error), error.next_command or "correct the file")
        return
    if deployment.chain_id != chain_id:
        yield Finding(
            "deployment",
            FAIL,
            f"is on chain id {deployment.chain_id}, the node on {chain_id}",
            "pass the right --rpc-url or --deployment",
        )
        return
    try:
        for name in CONTRACTS:
            chain.contract(name, deployment.address(name))
        verifier = chain.contract("AttestationVerifier", deployment.address("AttestationVerifier"))
        development = bool(chain.read(verifier.functions.developmentRoot()))
    except XmtpTeeError as error:
        yield Finding("deployment", FAIL, str(error), error.cause or "deploy again")
        return
    if development != deployment.development_root:
        yield Finding(
            "deployment",
            FAIL,
            f"the chain says developmentRoot = {development}, the file {deployment.development_root}",
            "do not trust this file",
        )
        return
    yield Finding("deployment", PASS, f"{len(CONTRACTS)} contracts of {setting.value}")
    yield Finding(
        "root",
        WARN if development else PASS,
        "DEVELOPMENT root: anyone can forge what it accepts" if development else "vendor's root",
        "deploy with --parameters production for real evidence",
    )
