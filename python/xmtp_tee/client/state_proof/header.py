"""A block's header, from the JSON of a node, believed only if it hashes to the trusted block hash. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xmtp_tee.client.state_proof.errors import HeaderMismatch, RlpInvalid
from xmtp_tee.client.state_proof.rlp import Item, decode_list, decode_uint, encode
from xmtp_tee.hashing import keccak256

# The order of the header's RLP list; each hard fork appended. Sources: yellow paper 4.4.3, EIP-1559, EIP-4895,
# EIP-4844, EIP-4788, EIP-7685. The number tells a hash or bytes (0) from an integer (1).
_FIELDS = (
    ("parentHash", 0),
    ("sha3Uncles", 0),
    ("miner", 0),
    ("stateRoot", 0),
    ("transactionsRoot", 0),
    ("receiptsRoot", 0),
    ("logsBloom", 0),
    ("difficulty", 1),
    ("number", 1),
    ("gasLimit", 1),
    ("gasUsed", 1),
    ("timestamp", 1),
    ("extraData", 0),
    ("mixHash", 0),
    ("nonce", 0),
)
_LATER_FIELDS = (
    ("baseFeePerGas", 1),
    ("withdrawalsRoot", 0),
    ("blobGasUsed", 1),
    ("excessBlobGas", 1),
    ("parentBeaconBlockRoot", 0),
    ("requestsHash", 0),
)
_STATE_ROOT, _NUMBER, _TIMESTAMP = 3, 8, 11


@dataclass(frozen=True, slots=True)
class Header:
    """What a proven header says. ``hash`` and ``state_root`` are 32 bytes, ``timestamp`` is unix seconds."""

    hash: bytes
    number: int
    timestamp: int
    state_root: bytes


def header_from_json(block: Mapping[str, object], trusted_hash: bytes) -> Header:
    """Return the header in a node's answer to ``eth_getBlockByHash``.

    :raises HeaderMismatch: what the node shows does not hash to ``trusted_hash`` (32 bytes)
    """
    items: list[Item] = []
    for name, is_integer in (*_FIELDS, *_LATER_FIELDS):
        value = block.get(name)
        if value is None:
            if len(items) < len(_FIELDS):
                raise HeaderMismatch("the node's header lacks a field", expected=name)
            break
        items.append(_bytes(name, value, is_integer=bool(is_integer)))
    return header_from_rlp(encode(items), trusted_hash)


def header_from_rlp(encoded: bytes, trusted_hash: bytes) -> Header:
    """Return the header whose RLP this is.

    :raises HeaderMismatch: it does not hash to ``trusted_hash``, or is no header
    """
    found = keccak256(encoded)
    if found != trusted_hash:
        raise HeaderMismatch(
            "the node's header is not the one of the trusted block",
            got="0x" + found.hex(),
            expected="0x" + trusted_hash.hex(),
            cause="the node errs or lies, or the block has header fields that this version does not know",
        )
    try:
        items = decode_list(encoded)
        root = items[_STATE_ROOT]
        if not isinstance(root, bytes) or len(root) != 32:
            raise HeaderMismatch("the header's state root is no hash", expected="32 bytes")
        return Header(found, decode_uint(items[_NUMBER]), decode_uint(items[_TIMESTAMP]), root)
    except (RlpInvalid, IndexError) as error:
        raise HeaderMismatch(
            "what hashes to the block hash is no header", cause=str(error)
        ) from error


def _bytes(name: str, value: object, *, is_integer: bool) -> bytes:
    text = value[2:] if isinstance(value, str) and value.startswith("0x") else None
    try:
        if text is None:
            raise ValueError(name)
        if is_integer:
            number = int(text, 16)
            return number.to_bytes((number.bit_length() + 7) // 8, "big")
        return bytes.fromhex(text)
    except ValueError:
        raise HeaderMismatch(
            f"the node's header field {name} is malformed", got=str(value)[:80], expected="0x hex"
        ) from None
