"""A connection to a chain: reads, transactions, and reverts as typed errors.

This is the only module that knows web3's exceptions. Everything above it sees :class:`ContractRefused` for
a revert and :class:`ChainUnavailable` for a node that does not answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import requests
from eth_typing import BlockNumber, ChecksumAddress
from hexbytes import HexBytes
from web3 import HTTPProvider, Web3
from web3.contract import Contract
from web3.contract.contract import ContractFunction
from web3.exceptions import (
    ContractLogicError,
    TimeExhausted,
    TransactionNotFound,
    Web3Exception,
)
from web3.logs import DISCARD
from web3.types import RPCEndpoint, RPCResponse, TxParams, TxReceipt, Wei

from xmtp_tee.attestation.json_text import require_shallow
from xmtp_tee.client.abi import contract_abi
from xmtp_tee.client.accounts import Sender
from xmtp_tee.client.chain_errors import (
    ChainUnavailable,
    ContractRefused,
    FeeTooHigh,
    NoCode,
    RequestRefused,
    TransactionNotMined,
    WrongChain,
)
from xmtp_tee.client.revert import decode_revert
from xmtp_tee.client.urls import http_url
from xmtp_tee.dates import CALENDAR_END

# What web3 and its libraries raise where a node's answer has another shape than the standard's.
_UNUSABLE = (
    Web3Exception,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RecursionError,
)
# A gas estimate is exact for the state it saw; the state may have moved on when the transaction is mined.
_GAS_MARGIN_PERCENT = 115


@dataclass(frozen=True, slots=True)
class Block:
    """A block's number, hash (32 bytes) and time (unix seconds)."""

    number: int
    hash: bytes
    timestamp: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """A mined, successful transaction."""

    transaction: str
    block_number: int
    gas_used: int
    raw: TxReceipt


class Chain:
    """One node, named by its RPC address. Errors show the host alone: the path may hold an access key."""

    def __init__(self, rpc_url: str, *, timeout: float = 15.0) -> None:
        self.host = _host(rpc_url)
        self.web3 = Web3(_Node(rpc_url, request_kwargs={"timeout": timeout}))
        self._timeout = timeout

    def __repr__(self) -> str:
        return f"Chain({self.host})"

    @property
    def chain_id(self) -> int:
        """The node's chain id."""
        with self._errors():
            return _natural(self.web3.eth.chain_id, 1 << 256)

    def require_chain(self, expected: int) -> None:
        """Raise :class:`WrongChain` unless the node is on the expected chain."""
        got = self.chain_id
        if got != expected:
            raise WrongChain(
                "the node is on another chain than the deployment",
                got=f"chain id {got} at {self.host}",
                expected=f"chain id {expected}",
                next_command="pass the right --rpc-url or --deployment",
            )

    def block(self, number: int | None = None) -> Block:
        """Return a block by number, or the newest one."""
        with self._errors():
            found = self.web3.eth.get_block("latest" if number is None else BlockNumber(number))
            block = Block(
                _natural(found["number"], 1 << 64),
                bytes(found["hash"]),
                _natural(found["timestamp"], CALENDAR_END),
            )
            if len(block.hash) != 32:
                raise ValueError("a block's hash is not 32 bytes")
        return block

    def gas_of_block(self, number: int) -> int:
        """Return the gas that a block's transactions used."""
        with self._errors():
            return _natural(self.web3.eth.get_block(BlockNumber(number))["gasUsed"], 1 << 64)

    def contract(self, name: str, address: str) -> Contract:
        """Return the contract of the bundled ABI ``name`` at ``address``; raise :class:`NoCode` if none is there."""
        checksummed = Web3.to_checksum_address(address)
        with self._errors():
            code = self.web3.eth.get_code(checksummed)
        if not code:
            raise NoCode(
                f"there is no contract at the address of {name}",
                got=f"{address} on chain id {self.chain_id}",
                cause="the deployment is of another chain, or a development chain was started anew",
                next_command="xmtp-tee doctor",
            )
        return self.web3.eth.contract(address=checksummed, abi=contract_abi(name))

    def read(self, function: ContractFunction, *, block: int | None = None) -> Any:
        """Call a view. The result is what the ABI says, so its type is the caller's to know."""
        with self._errors():
            return function.call(block_identifier="latest" if block is None else BlockNumber(block))

    def rehearse(self, function: ContractFunction, sender: str, *, gas: int | None = None) -> Any:
        """Run a transaction without sending it; return what it returns, raise what it would be refused with."""
        transaction: TxParams = {"from": cast("ChecksumAddress", sender)}
        if gas is not None:
            transaction["gas"] = gas
        with self._errors():
            return function.call(transaction)

    def transact(
        self,
        function: ContractFunction,
        sender: Sender,
        *,
        gas: int | None = None,
        rehearse: bool = True,
        max_fee: int | None = None,
    ) -> Receipt:
        """Send a transaction and wait for its receipt.

        It is rehearsed first, so that a refusal costs nothing. With ``rehearse=False`` and a ``gas`` limit
        it is sent in any case, and a refusal is one that the chain has mined. ``max_fee``: the most that is
        paid for a unit of gas, in wei; by default what web3 proposes.

        :raises FeeTooHigh: the chain asks for more than ``max_fee`` now
        """
        origin = cast("ChecksumAddress", sender.address)
        if rehearse:
            self.rehearse(function, sender.address)
        with self._errors():
            parameters: TxParams = {
                "from": origin,
                "nonce": self.web3.eth.get_transaction_count(origin, "pending"),
                "chainId": self.web3.eth.chain_id,
                "value": Wei(0),
            }
            if gas is None:
                gas = function.estimate_gas({"from": origin}) * _GAS_MARGIN_PERCENT // 100
            if max_fee is not None:
                parameters |= self._fees(max_fee)
            transaction = function.build_transaction({**parameters, "gas": gas})
            sent = sender.send(self.web3, transaction)
        return self._receipt(sent)

    def unmined(self, account: str) -> int:
        """Return how many transactions of an account the node knows that no block holds yet."""
        origin = cast("ChecksumAddress", account)
        with self._errors():
            known = self.web3.eth.get_transaction_count(origin, "pending")
            return max(0, known - self.web3.eth.get_transaction_count(origin, "latest"))

    def events(self, contract: Contract, event: str, receipt: Receipt) -> list[Mapping[str, Any]]:
        """Return the arguments of a contract's events of one kind in a receipt, in order."""
        with self._errors():
            found = contract.events[event]().process_receipt(receipt.raw, errors=DISCARD)
        return [log["args"] for log in found if log["address"] == contract.address]

    def request(self, method: str, *params: object) -> Any:
        """Make a raw JSON-RPC request, for what web3 has no function for."""
        with self._errors():
            response = self.web3.provider.make_request(RPCEndpoint(method), list(params))
            if "error" not in response:
                return response["result"]
        raise RequestRefused(
            f"the node refused {method}", got=str(response["error"])[:200], expected="a result"
        )

    def _fees(self, max_fee: int) -> TxParams:
        base = int(self.web3.eth.get_block("latest").get("baseFeePerGas", 0))
        if base > max_fee:
            raise FeeTooHigh(
                "gas is dearer than what may be paid for it",
                got=f"{base} wei",
                expected=f"at most {max_fee} wei",
            )
        tip = min(int(self.web3.eth.max_priority_fee), max_fee)
        return {"maxFeePerGas": Wei(max_fee), "maxPriorityFeePerGas": Wei(tip)}

    def _receipt(self, sent: HexBytes) -> Receipt:
        with self._errors():
            try:
                raw = self.web3.eth.wait_for_transaction_receipt(
                    sent, timeout=max(120.0, self._timeout), poll_latency=0.05
                )
            except TimeExhausted as error:
                raise TransactionNotMined(
                    "the transaction was sent and is not mined yet",
                    got=sent.to_0x_hex(),
                    next_command=f"cast receipt {sent.to_0x_hex()}",
                ) from error
            receipt = Receipt(
                sent.to_0x_hex(),
                _natural(raw["blockNumber"], 1 << 64),
                _natural(raw["gasUsed"], 1 << 64),
                raw,
            )
            succeeded = raw["status"] == 1
        if not succeeded:
            raise self._why_refused(receipt)
        return receipt

    def _why_refused(self, receipt: Receipt) -> ContractRefused:
        """Find the revert data of a mined failure: from its trace, or by running it again at its block."""
        data: bytes
        try:
            trace = self.request(
                "debug_traceTransaction", receipt.transaction, {"tracer": "callTracer"}
            )
            data = bytes(HexBytes(trace.get("output") or "0x"))
        except ChainUnavailable:
            data = self._replay(receipt)
        return decode_revert(data, gas_used=receipt.gas_used, transaction=receipt.transaction)

    def _replay(self, receipt: Receipt) -> bytes:
        try:
            sent = self.web3.eth.get_transaction(HexBytes(receipt.transaction))
            again: TxParams = {"from": sent["from"], "to": sent["to"], "data": sent["input"]}
            self.web3.eth.call(again, BlockNumber(receipt.block_number))
        except ContractLogicError as error:
            return _revert_data(error)
        except (Web3Exception, requests.RequestException, TransactionNotFound):
            return b""
        return b""

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except ContractLogicError as error:
            raise decode_revert(_revert_data(error)) from error
        except (requests.HTTPError, requests.ReadTimeout) as error:
            kind = RequestRefused if _was_too_much(error) else ChainUnavailable
            raise kind(
                "the node did not answer this request",
                got=_without_address(error),
                expected=f"an Ethereum JSON-RPC answer from {self.host}",
            ) from None
        except requests.RequestException as error:
            raise ChainUnavailable(
                "the node cannot be reached",
                got=f"{type(error).__name__} at {self.host}",
                expected="an Ethereum JSON-RPC node",
                cause="it is not running, or the address is wrong",
                next_command="pass --rpc-url, or set ETH_RPC_URL",
            ) from None
        except _UNUSABLE as error:
            raise ChainUnavailable(
                "the node's answer cannot be used",
                got=f"{type(error).__name__}: {str(error)[:200]}",
                expected=f"an Ethereum JSON-RPC answer from {self.host}",
            ) from error


class _Node(HTTPProvider):
    """A node whose answers are measured before they are parsed.

    The parser recurses, and some of the chain's libraries raise the recursion limit for the whole process, so that a
    deep answer would end it.
    """

    @staticmethod
    def decode_rpc_response(raw_response: bytes) -> RPCResponse:
        """Parse an answer; raise ValueError if it is none."""
        require_shallow(raw_response.decode())
        return HTTPProvider.decode_rpc_response(raw_response)


def _revert_data(error: ContractLogicError) -> bytes:
    """Return the revert data that web3 carries, in one of several shapes."""
    data = error.data
    if isinstance(data, Mapping):
        data = data.get("data")
    try:
        return bytes(HexBytes(data)) if isinstance(data, str) and data.startswith("0x") else b""
    except ValueError:
        return b""


def _natural(value: object, end: int) -> int:
    """Return a number that a node names; refuse what is none below ``end``."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < end:
        raise ValueError(f"a number is out of range: {ascii(value)[:60]}")
    return value


# Statuses by which nodes refuse a request for its size or cost. A denied access or a rate limit says nothing of it.
_TOO_MUCH = frozenset({400, 408, 413, 422, 500, 502, 503, 504})


def _was_too_much(error: requests.RequestException) -> bool:
    return error.response is None or error.response.status_code in _TOO_MUCH


def _without_address(error: requests.RequestException) -> str:
    """Name the failure without the library's text, which quotes the address and an access key in it."""
    if error.response is not None:
        return f"HTTP status {error.response.status_code}"
    return type(error).__name__


def _host(rpc_url: str) -> str:
    parts = http_url(rpc_url, "an Ethereum node (RPC)")
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
