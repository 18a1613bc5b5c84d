"""Who sends a transaction: an account from a Foundry keystore, a key in a variable, or a node's own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_utils.address import is_address, to_checksum_address
from hexbytes import HexBytes
from web3 import Web3
from web3.types import RPCEndpoint, TxParams

from xmtp_tee.attestation.json_text import load_json
from xmtp_tee.client.chain_errors import SenderError


class Sender(Protocol):
    """An account that can send. ``address`` is checksummed."""

    @property
    def address(self) -> str:
        """The checksummed 0x address."""

    def send(self, web3: Web3, transaction: TxParams) -> HexBytes:
        """Sign and send a complete transaction; return its hash."""

    def sign_typed_data(self, web3: Web3, typed_data: dict[str, Any]) -> bytes:
        """Sign the object of ``eth_signTypedData_v4``; return 65 bytes r || s || v."""


class LocalSender:
    """Signs here, with a key that this process holds. Neither repr nor errors show the key."""

    def __init__(self, account: LocalAccount) -> None:
        self._account = account

    def __repr__(self) -> str:
        return f"LocalSender({self.address})"

    @property
    def address(self) -> str:
        """The checksummed 0x address."""
        return str(self._account.address)

    def send(self, web3: Web3, transaction: TxParams) -> HexBytes:
        """Sign and send a complete transaction; return its hash."""
        signed = self._account.sign_transaction(cast("dict[str, Any]", transaction))
        return web3.eth.send_raw_transaction(signed.raw_transaction)

    def sign_typed_data(self, web3: Web3, typed_data: dict[str, Any]) -> bytes:
        """Sign the object of ``eth_signTypedData_v4``; return 65 bytes r || s || v."""
        return self.sign_offline(typed_data)

    def sign_offline(self, typed_data: dict[str, Any]) -> bytes:
        """Sign the object of ``eth_signTypedData_v4`` without a node; return 65 bytes r || s || v."""
        message = encode_typed_data(full_message=typed_data)
        return bytes(self._account.sign_message(message).signature)


class NodeSender:
    """Lets the node sign: an unlocked account of a development node."""

    def __init__(self, address: str) -> None:
        self.address = to_checksum_address(address)

    def __repr__(self) -> str:
        return f"NodeSender({self.address})"

    def send(self, web3: Web3, transaction: TxParams) -> HexBytes:
        """Send a complete transaction for the node to sign; return its hash."""
        return web3.eth.send_transaction(transaction)

    def sign_typed_data(self, web3: Web3, typed_data: dict[str, Any]) -> bytes:
        """Have the node sign the object of ``eth_signTypedData_v4``; return 65 bytes r || s || v."""
        response = web3.provider.make_request(
            RPCEndpoint("eth_signTypedData_v4"), [self.address, typed_data]
        )
        signature = response.get("result")
        if not isinstance(signature, str):
            raise SenderError(
                "the node does not sign for this account",
                got=f"{self.address}: {str(response.get('error'))[:200]}",
                expected="an unlocked account, and eth_signTypedData_v4",
            )
        return bytes(HexBytes(signature))


def from_keystore(
    name_or_path: str, *, password_file: Path | None, prompt: Callable[[str], str] | None
) -> LocalSender:
    """Open an encrypted key (Web3 secret storage v3), as Foundry's ``cast wallet`` writes them.

    A bare name is looked up in Foundry's keystore folder. The password comes from the first line of
    ``password_file``, else from ``prompt``.
    """
    path = Path(name_or_path).expanduser()
    if not path.is_file():
        path = _foundry_keystores() / name_or_path
    if not path.is_file():
        raise SenderError(
            "there is no such keystore",
            got=name_or_path,
            expected=f"a file, or a name in {_foundry_keystores()}",
            next_command="cast wallet import NAME --interactive",
        )
    try:
        keyfile = load_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SenderError("the keystore cannot be read", got=path, cause=str(error)) from error
    password = _password(password_file, prompt, path)
    try:
        key = Account.decrypt(keyfile, password)
    except (ValueError, TypeError, KeyError, NotImplementedError):
        # The library's own message is dropped: it may quote what it was given.
        raise SenderError(
            "the keystore cannot be opened",
            got=path,
            cause="the password is wrong, or the file is not Web3 secret storage v3",
        ) from None
    return LocalSender(Account.from_key(key))


def from_environment(variable: str) -> LocalSender:
    """Read a raw private key from an environment variable. Unsafe: other processes may read it too."""
    value = os.environ.get(variable)
    if not value:
        raise SenderError("the variable for the private key is not set", got=variable)
    try:
        return LocalSender(Account.from_key(value.strip()))
    except Exception:  # noqa: BLE001 - whatever the library says may quote the key
        raise SenderError(
            "the variable holds no private key", got=variable, expected="32 bytes in hex"
        ) from None


def from_node(address: str) -> NodeSender:
    """Name an account that the node has unlocked."""
    if not is_address(address):
        raise SenderError("this is not an address", got=address, expected="0x and 40 hex digits")
    return NodeSender(address)


def _foundry_keystores() -> Path:
    folder = os.environ.get("FOUNDRY_DIR")
    return (Path(folder) if folder else Path.home() / ".foundry") / "keystores"


def _password(file: Path | None, prompt: Callable[[str], str] | None, keystore: Path) -> str:
    if file is not None:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise SenderError(
                "the password file cannot be read", got=file, cause=error.strerror
            ) from error
        except UnicodeDecodeError:
            # The library's own message is dropped: it quotes the password.
            raise SenderError("the password file is not text", got=file, expected="UTF-8") from None
        return lines[0] if lines else ""
    if prompt is None:
        raise SenderError(
            "the keystore needs a password and there is nobody to ask",
            got=keystore,
            next_command="pass --password-file FILE",
        )
    return prompt(f"Password of {keystore.name}")
