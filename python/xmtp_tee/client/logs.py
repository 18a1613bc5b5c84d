"""Event logs as they come from a node, checked for shape, and decoded by the bundled ABI. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError, EncodingError

from xmtp_tee.client.abi import AbiEntry, canonical_type, contract_abi, signature
from xmtp_tee.client.chain_errors import LogMalformed
from xmtp_tee.hashing import keccak256


@dataclass(frozen=True, slots=True)
class Log:
    """One event. ``address`` is 20 bytes, topics and ``block_hash`` 32; ``index`` counts within the block.

    ``transaction`` is 0x and 64 hex digits.
    """

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes
    block_number: int
    block_hash: bytes
    transaction: str
    index: int

    @property
    def position(self) -> tuple[int, int]:
        """Where it stands on the chain: block, then index within the block."""
        return self.block_number, self.index

    @classmethod
    def from_json(cls, raw: object) -> Log:
        """Read one member of the answer to ``eth_getLogs``.

        :raises LogMalformed: a field is missing or malformed, or the log was removed by a reorganisation
        """
        if not isinstance(raw, Mapping):
            raise LogMalformed("a log is no object", got=type(raw).__name__)
        if raw.get("removed"):
            raise LogMalformed("the node answers with a log that a reorganisation removed")
        topics = raw.get("topics")
        if not isinstance(topics, list) or not 1 <= len(topics) <= 4:
            raise LogMalformed("a log has no topics", got=str(topics)[:80], expected="1 to 4")
        transaction = _bytes(raw, "transactionHash", 32)
        return cls(
            address=_bytes(raw, "address", 20),
            topics=tuple(_hex("topic", topic, 32) for topic in topics),
            data=_bytes(raw, "data", None),
            block_number=_integer(raw, "blockNumber"),
            block_hash=_bytes(raw, "blockHash", 32),
            transaction="0x" + transaction.hex(),
            index=_integer(raw, "logIndex"),
        )


@cache
def event_entry(contract: str, event: str) -> AbiEntry:
    """Return the ABI entry of a contract's event. Raises KeyError where there is none."""
    for entry in contract_abi(contract):
        if entry["type"] == "event" and entry["name"] == event:
            return entry
    raise KeyError(f"{contract}.{event}")


def topic_of(entry: AbiEntry) -> bytes:
    """Return the first topic of an event's logs: Keccak-256 over its signature."""
    return keccak256(signature(entry).encode())


def decode_log(entry: AbiEntry, log: Log) -> dict[str, Any]:
    """Return the event's arguments by name, indexed ones of value type included.

    :raises LogMalformed: topics or data are not what the ABI's encoder makes of these arguments
    """
    indexed = [item for item in entry["inputs"] if item["indexed"]]
    plain = [item for item in entry["inputs"] if not item["indexed"]]
    if log.topics[0] != topic_of(entry) or len(log.topics) != 1 + len(indexed):
        raise LogMalformed(
            f"a log is not of the event {entry['name']}",
            got=f"{len(log.topics)} topics, the first 0x{log.topics[0].hex()}",
            expected=f"{1 + len(indexed)} topics, the first 0x{topic_of(entry).hex()}",
        )
    values = {
        item["name"]: _decoded([canonical_type(item)], topic, entry)[0]
        for item, topic in zip(indexed, log.topics[1:], strict=True)
    }
    decoded = _decoded([canonical_type(item) for item in plain], log.data, entry)
    return values | {item["name"]: value for item, value in zip(plain, decoded, strict=True)}


def _decoded(types: list[str], data: bytes, entry: AbiEntry) -> tuple[Any, ...]:
    try:
        values = decode(types, data)
        exact = encode(types, values) == data
    except (DecodingError, EncodingError, OverflowError) as error:
        raise LogMalformed(
            f"the event {entry['name']} cannot be decoded", cause=type(error).__name__
        ) from error
    if not exact:
        raise LogMalformed(f"the event {entry['name']} is not encoded as the ABI says")
    return values


def _bytes(raw: Mapping[Any, Any], name: str, size: int | None) -> bytes:
    return _hex(name, raw.get(name), size)


def _hex(name: str, value: object, size: int | None) -> bytes:
    if isinstance(value, str) and value.startswith("0x"):
        try:
            data = bytes.fromhex(value[2:])
        except ValueError:
            pass
        else:
            if size is None or len(data) == size:
                return data
    raise LogMalformed(
        f"a log's {name} is malformed",
        got=str(value)[:80],
        expected="0x hex" if size is None else f"{size} bytes in 0x hex",
    )


def _integer(raw: Mapping[Any, Any], name: str) -> int:
    value = raw.get(name)
    if isinstance(value, str) and value.startswith("0x"):
        try:
            return int(value, 16)
        except ValueError:
            pass
    raise LogMalformed(f"a log's {name} is malformed", got=str(value)[:80], expected="0x hex")
