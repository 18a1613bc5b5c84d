"""A chain of one's own for tests that choose its time: anvil, forge's artifacts, typed reverts.

    with Anvil(timestamp=1_750_500_000) as anvil:
        chain = Chain(anvil)
        verifier = chain.deploy("DcapVerifier", root_der, grace)
        receipt = chain.send(verifier.functions.submitCrl(der))      # raises Reverted, typed
        receipt["gasUsed"]                                           # whole transaction
        judgement = chain.call(verifier.functions.judgePlatform(handle))
        with pytest.raises(Reverted) as refusal:
            chain.send(...)
        assert refusal.value.name == "DebugEnclave"
        assert refusal.value.args_by_name == {"attributes": b"..."}
        chain.warp(to=1_751_000_000)

Ape's own provider serves the tests that do not care about the date. Real evidence is valid in the
past only, so its chain starts there (``--timestamp``). EIP-7825's limit of 2**24 gas is on.
"""

from __future__ import annotations

import fcntl
import functools
import itertools
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import pytest
from eth_abi.abi import decode as abi_decode
from web3 import HTTPProvider, Web3
from web3.contract import Contract
from web3.contract.contract import ContractFunction
from web3.exceptions import ContractLogicError, Web3RPCError
from web3.types import RPCEndpoint, TxParams, TxReceipt, Wei

from tools.project import ARTIFACTS, ROOT, compiled

TRANSACTION_GAS_LIMIT = 2**24
"""EIP-7825: no transaction of mainnet may carry more gas."""


def tool(name: str) -> str:
    """Return the path of ``anvil`` or ``forge``: from PATH, else the project's own; else skip."""
    found = shutil.which(name)
    own = ROOT / ".tools" / "bin" / name
    if found is None and own.exists():
        found = str(own)
    if found is None:
        pytest.skip(f"{name} is not installed; run `make setup`")
    return found


# --- artifacts ------------------------------------------------------------------------------------


@contextmanager
def _one_build_at_a_time() -> Iterator[None]:
    lock = ARTIFACTS.parent.parent / "forge.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)


@functools.cache
def artifact(name: str) -> dict[str, Any]:
    """Return forge's artifact of the contract ``name``, built from its present source.

    The source is the one file ``contracts/**/<name>.sol`` or, for a test harness,
    ``tests/contracts/**/<name>.sol``. Only what it needs is compiled, so a half-written neighbour
    does not stop a test.
    """
    sources = [
        path
        for folder in ("contracts", "tests/contracts")
        for path in sorted((ROOT / folder).rglob(f"{name}.sol"))
        if ".cache" not in path.parts
    ]
    if len(sources) != 1:
        msg = f"want one source file {name}.sol, found {[str(s) for s in sources]}"
        raise LookupError(msg)
    environment = dict(os.environ)
    environment.pop("FOUNDRY_PROFILE", None)
    with _one_build_at_a_time():
        built = subprocess.run(
            [tool("forge"), "build", str(sources[0].relative_to(ROOT))],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if built.returncode != 0:
            msg = f"forge build of {name} failed:\n{built.stdout}\n{built.stderr}"
            raise RuntimeError(msg)
        return compiled(sources[0].relative_to(ROOT).as_posix(), name).artifact


# --- reverts --------------------------------------------------------------------------------------


class Reverted(AssertionError):
    """A call or transaction reverted.

    ``name`` is the custom error's name (``Error`` and ``Panic`` for Solidity's own, ``""`` when
    nothing was returned), ``arguments`` its values in order, ``args_by_name`` the same by name,
    ``selector`` its four bytes and ``data`` everything.
    """

    def __init__(
        self, name: str, inputs: list[str], arguments: tuple[Any, ...], data: bytes
    ) -> None:
        super().__init__(f"{name or 'reverted without data'}{arguments if name else ''}")
        self.name = name
        self.arguments = arguments
        self.args_by_name = dict(zip(inputs, arguments, strict=True))
        self.data = data

    @property
    def selector(self) -> bytes:
        return self.data[:4]


@dataclass(frozen=True)
class _ErrorShape:
    name: str
    inputs: list[str]
    types: list[str]


_BUILT_IN = {
    bytes.fromhex("08c379a0"): _ErrorShape("Error", ["message"], ["string"]),
    bytes.fromhex("4e487b71"): _ErrorShape("Panic", ["code"], ["uint256"]),
}


def _canonical(parameter: dict[str, Any]) -> str:
    kind: str = parameter["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_canonical(c) for c in parameter['components'])}){kind[5:]}"


# --- anvil ----------------------------------------------------------------------------------------


def _grouped(functions: Iterable[ContractFunction], size: int) -> Iterator[list[ContractFunction]]:
    source = iter(functions)
    while group := list(itertools.islice(source, size)):
        yield group


def free_port() -> int:
    """Return a TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Anvil:
    """An anvil of one's own, hardfork osaka, on a free port; stopped when the block ends."""

    def __init__(
        self,
        *,
        timestamp: int | None = None,
        hardfork: str = "osaka",
        options: tuple[str, ...] = (),
    ) -> None:
        self._command = [tool("anvil"), "--hardfork", hardfork, "--silent", "--enable-tx-gas-limit"]
        if timestamp is not None:
            self._command += ["--timestamp", str(timestamp)]
        self._command += options
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def start(self) -> Anvil:
        for attempt in range(3):
            port = free_port()
            self.url = f"http://127.0.0.1:{port}"
            self._process = subprocess.Popen(
                [*self._command, "--port", str(port)],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            if self._answers():
                return self
            self.stop()
            if attempt == 2:
                break
        msg = f"anvil did not answer: {' '.join(self._command)}"
        raise RuntimeError(msg)

    def _answers(self) -> bool:
        assert self._process is not None
        web3 = Web3(HTTPProvider(self.url, request_kwargs={"timeout": 1}))
        for _ in range(200):
            if self._process.poll() is not None:
                return False
            if web3.is_connected():
                # Before its first block, anvil estimates gas at the time 1.
                web3.provider.make_request(RPCEndpoint("evm_mine"), [])
                return True
            time.sleep(0.05)
        return False

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def __enter__(self) -> Anvil:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class Chain:
    """Deploys from forge's artifacts, sends transactions, turns reverts into :class:`Reverted`."""

    def __init__(self, anvil: Anvil) -> None:
        self._provider = HTTPProvider(anvil.url, request_kwargs={"timeout": 60})
        self.web3 = Web3(self._provider)
        self.accounts = self.web3.eth.accounts
        self._errors = dict(_BUILT_IN)

    # -- contracts

    def know(self, *names: str) -> None:
        """Let the errors of these contracts or interfaces be decoded by name."""
        for name in names:
            self._learn(artifact(name)["abi"])

    def _learn(self, abi: list[dict[str, Any]]) -> None:
        for entry in abi:
            if entry["type"] == "error":
                types = [_canonical(parameter) for parameter in entry["inputs"]]
                signature = f"{entry['name']}({','.join(types)})"
                self._errors[bytes(Web3.keccak(text=signature)[:4])] = _ErrorShape(
                    entry["name"], [parameter["name"] for parameter in entry["inputs"]], types
                )

    def at(self, name: str, address: str) -> Contract:
        """Return the contract ``name`` at ``address``."""
        abi = artifact(name)["abi"]
        self._learn(abi)
        return self.web3.eth.contract(address=Web3.to_checksum_address(address), abi=abi)

    def deploy(self, name: str, *arguments: Any, sender: str | None = None) -> Contract:
        """Deploy the contract ``name``; raise :class:`Reverted` when its constructor refuses."""
        made = artifact(name)
        self._learn(made["abi"])
        factory = self.web3.eth.contract(abi=made["abi"], bytecode=made["bytecode"]["object"])
        receipt = self.send(factory.constructor(*arguments), sender=sender)
        address = receipt["contractAddress"]
        assert address is not None
        return self.web3.eth.contract(address=address, abi=made["abi"])

    # -- calls

    def send(
        self, function: ContractFunction | Any, *, sender: str | None = None, value: int = 0
    ) -> TxReceipt:
        """Send a transaction and return its receipt; :class:`Reverted`, and nothing sent, else."""
        transaction: TxParams = {
            "from": sender or self.accounts[0],
            "value": Wei(value),
            "gas": TRANSACTION_GAS_LIMIT,
        }
        try:
            # A call tells the revert reason; estimating would run the transaction many times.
            if isinstance(function, ContractFunction):
                function.call(transaction)
            else:
                self.web3.eth.call({**transaction, "data": function.data_in_transaction})
            sent = function.transact(transaction)
        except (ContractLogicError, Web3RPCError) as refused:
            raise self._decoded(refused) from refused
        receipt = self.web3.eth.wait_for_transaction_receipt(sent, timeout=30)
        if receipt["status"] != 1:
            msg = f"a transaction that should pass failed: {receipt['transactionHash'].hex()}"
            raise AssertionError(msg)
        return receipt

    def call(self, function: ContractFunction | Any, *, sender: str | None = None) -> Any:
        """Call without sending and return the decoded result; raise :class:`Reverted`."""
        try:
            return function.call({"from": sender or self.accounts[0], "gas": TRANSACTION_GAS_LIMIT})
        except (ContractLogicError, Web3RPCError) as refused:
            raise self._decoded(refused) from refused

    def outcomes(self, functions: Iterable[ContractFunction]) -> Iterator[bytes | Reverted]:
        """Call many without sending, quickly; yield the raw result or the revert of each."""
        for group in _grouped(functions, 128):
            requests = [
                (
                    RPCEndpoint("eth_call"),
                    [
                        {
                            "from": self.accounts[0],
                            "to": function.address,
                            "data": function._encode_transaction_data(),
                            "gas": hex(TRANSACTION_GAS_LIMIT),
                        },
                        "latest",
                    ],
                )
                for function in group
            ]
            answers: Any = self._provider.make_batch_request(requests)
            for answer in answers:
                if "error" not in answer:
                    yield bytes.fromhex(answer["result"][2:])
                    continue
                data = answer["error"].get("data")
                if not isinstance(data, str):
                    raise RuntimeError(f"eth_call: {answer['error']}")
                yield self.decode_error(bytes.fromhex(data[2:]))

    def _decoded(self, refused: Exception) -> Reverted:
        raw = getattr(refused, "data", None)
        if isinstance(refused, Web3RPCError):
            response = refused.rpc_response or {}
            error: Any = response.get("error") or {}
            raw = error.get("data")
        if not isinstance(raw, str) or not raw.startswith("0x"):
            if "revert" in str(refused):
                return Reverted("", [], (), b"")
            raise refused
        return self.decode_error(bytes.fromhex(raw[2:]))

    def decode_error(self, data: bytes) -> Reverted:
        """Decode revert data by the errors of every contract that this chain has seen."""
        shape = self._errors.get(data[:4])
        if shape is None:
            name = f"0x{data[:4].hex()}" if data else ""
            return Reverted(name, [], (), data)
        return Reverted(shape.name, shape.inputs, abi_decode(shape.types, data[4:]), data)

    # -- time

    @property
    def now(self) -> int:
        """The latest block's time, unix seconds."""
        return self.web3.eth.get_block("latest")["timestamp"]

    def warp(self, to: int) -> None:
        """Mine a block at the time ``to`` (unix seconds, not in the past of the chain)."""
        self._rpc("evm_setNextBlockTimestamp", to)
        self._rpc("evm_mine")

    def mine(self, blocks: int = 1) -> None:
        self._rpc("anvil_mine", hex(blocks))

    def snapshot(self) -> str:
        identifier: str = self._rpc("evm_snapshot")
        return identifier

    def revert_to(self, identifier: str) -> None:
        self._rpc("evm_revert", identifier)

    def set_storage(self, address: str, slot: int, value: bytes) -> None:
        self._rpc("anvil_setStorageAt", address, f"0x{slot:064x}", f"0x{value.hex():0>64}")

    def set_code(self, address: str, code: bytes) -> None:
        self._rpc("anvil_setCode", address, "0x" + code.hex())

    def _rpc(self, method: str, *parameters: Any) -> Any:
        response = self._provider.make_request(RPCEndpoint(method), list(parameters))
        if "error" in response:
            msg = f"{method}: {response['error']}"
            raise RuntimeError(msg)
        return response["result"]
