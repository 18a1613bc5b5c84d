"""``xmtp-tee keys seal | open | mac | hpke-seal | hpke-open | shared-secret``.

Sealed texts are printed as base64 of one blob: version (4 bytes) || nonce (12) || ciphertext, or, of HPKE,
encapsulated key || ciphertext.
"""

from __future__ import annotations

from pathlib import Path

import click

from xmtp_tee.commands.console import Console
from xmtp_tee.commands.files import read_input
from xmtp_tee.commands.keys_options import bytes_of, input_option, text_of
from xmtp_tee.commands.options import (
    hex_bytes,
    json_option,
    open_keys,
    refuse_unread,
    socket_option,
)
from xmtp_tee.errors import UsageError

_KEMS = {"x25519": (0x0020, 32), "xwing": (0x647A, 1120)}
_kem_option = click.option(
    "--kem", type=click.Choice(list(_KEMS)), default="x25519", show_default=True
)
_aad_option = click.option("--aad", default="", help="Associated data, as text.")


@click.command("seal")
@click.argument("key_id")
@_aad_option
@input_option
@socket_option
@json_option
def seal(key_id: str, aad: str, source: Path, socket: Path | None, console: Console) -> None:
    """Seal a file, or stdin, under the current version of the AEAD key KEY_ID."""
    message = read_input(source)
    with open_keys(socket) as manager:
        made = manager.seal(key_id, message, aad.encode())
    blob = text_of(made.version.to_bytes(4, "big") + made.nonce + made.ciphertext)
    console.result({"sealed": blob, "version": made.version}, blob)


@click.command("open")
@click.argument("key_id")
@_aad_option
@input_option
@socket_option
@json_option
def open_(key_id: str, aad: str, source: Path, socket: Path | None, console: Console) -> None:
    """Open what `seal` printed."""
    from xmtp_tee.client.keys.secrets import SealedMessage

    blob = _blob(read_input(source), 32)
    sealed = SealedMessage(int.from_bytes(blob[:4], "big"), blob[4:16], blob[16:])
    with open_keys(socket) as manager:
        plaintext = manager.open(key_id, sealed, aad.encode())
    _print_plaintext(console, plaintext)


@click.command("mac")
@click.argument("key_id")
@click.option("--verify", metavar="HEX", help="Check this code instead of making one.")
@click.option("--version", type=click.IntRange(1), help="The version of the key to check under.")
@input_option
@socket_option
@json_option
def mac(
    key_id: str,
    verify: str | None,
    version: int | None,
    source: Path,
    socket: Path | None,
    console: Console,
) -> None:
    """HMAC-SHA256 of a file, or stdin, under the MAC key KEY_ID."""
    if verify is None:
        refuse_unread("A code is made under the newest version", {"version": version})
    claimed = None if verify is None else hex_bytes(verify, "--verify", 32)
    message = read_input(source)
    with open_keys(socket) as manager:
        if claimed is not None:
            manager.verify_mac(key_id, message, claimed, version=version or 0)
            console.result({"verified": True}, "verified")
            return
        made_under, code = manager.mac(key_id, message)
    console.result({"mac": code.hex(), "version": made_under}, code.hex())


@click.command("hpke-seal")
@click.argument("recipient")
@click.option("--info", default="", help="HPKE's info, as text.")
@_aad_option
@_kem_option
@input_option
@socket_option
@json_option
def hpke_seal(
    recipient: str,
    info: str,
    aad: str,
    kem: str,
    source: Path,
    socket: Path | None,
    console: Console,
) -> None:
    """Seal a file, or stdin, to the public key RECIPIENT (base64, or 0x and hex)."""
    public, message = bytes_of(recipient, "RECIPIENT"), read_input(source)
    with open_keys(socket) as manager:
        encapsulated, ciphertext = manager.hpke_seal(
            public, message, info=info.encode(), aad=aad.encode(), kem=_KEMS[kem][0]
        )
    blob = text_of(encapsulated + ciphertext)
    console.result({"sealed": blob}, blob)


@click.command("hpke-open")
@click.argument("key_id")
@click.option("--info", default="", help="HPKE's info, as text.")
@_aad_option
@_kem_option
@input_option
@socket_option
@json_option
def hpke_open(
    key_id: str,
    info: str,
    aad: str,
    kem: str,
    source: Path,
    socket: Path | None,
    console: Console,
) -> None:
    """Open what `hpke-seal` printed, with KEY_ID: an hpke key or a pre-key."""
    kem_id, size = _KEMS[kem]
    blob = _blob(read_input(source), size + 16)
    with open_keys(socket) as manager:
        plaintext = manager.hpke_open(
            key_id,
            blob[:size],
            blob[size:],
            info=info.encode(),
            aad=aad.encode(),
            kem=kem_id,
        )
    _print_plaintext(console, plaintext)


@click.command("shared-secret")
@click.argument("key_id")
@click.argument("peer")
@click.argument("label")
@socket_option
@json_option
def shared_secret(
    key_id: str, peer: str, label: str, socket: Path | None, console: Console
) -> None:
    """Print 32 bytes derived from a shared secret with PEER (an X25519 public key in hex).

    Only for a key that was made with --releases, under a policy that allows it. A program keeps the
    secret inside instead: KeyManager.shared_secret gives a handle.
    """
    public = hex_bytes(peer, "PEER", 32)
    with open_keys(socket) as manager:
        secret = manager.release_shared_secret(key_id, public, label)
    console.result({"secret": secret.hex()}, secret.hex())


def _blob(data: bytes, shortest: int) -> bytes:
    try:
        blob = bytes_of(data.decode("ascii").strip(), "the input")
    except UnicodeDecodeError:
        blob = b""
    if len(blob) < shortest:
        raise UsageError("the input is nothing that was sealed so", got=f"{len(blob)} bytes")
    return blob


def _print_plaintext(console: Console, plaintext: bytes) -> None:
    if console.json:
        console.result({"plaintext": text_of(plaintext)}, "")
    else:
        click.get_binary_stream("stdout").write(plaintext)
