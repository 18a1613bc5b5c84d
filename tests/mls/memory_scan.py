"""Runs a group for many epochs, prints which secrets have been used up, and waits to be looked at.

python -m tests.mls.memory_scan EPOCHS; prints JSON {"alive": hex, "gone": {hex: kind}} and ends with
its standard input. Secrets are noted and printed under a mask, so that the notes are not what is
looked for; the memory is read by another process, so that the search leaves nothing here either.
"""

from __future__ import annotations

import gc
import json
import sys

from tests.mls.malice import commit_now, epoch_of
from tests.mls.support import Client, group_of
from xmtp_tee import mls
from xmtp_tee.mls.secret_tree import RatchetType

MASK = bytes(i ^ 0x5A for i in range(256))


def masked(secret: bytes) -> bytes:
    return secret.translate(MASK)


def note_epoch(notes: dict[bytes, str], client: Client) -> None:
    """Note what is to be gone when the epoch is past."""
    epoch = epoch_of(client)
    secrets = epoch.secrets
    for name in ("init", "exporter", "external", "confirmation", "membership"):
        notes[masked(getattr(secrets, name))] = name
    for private, _ in epoch.keys.values():
        notes[masked(private)] = "private key of a node"


def note_message(notes: dict[bytes, str], receiver: Client, sender: int, generation: int) -> None:
    tree = epoch_of(receiver).secret_tree
    advance = tree.look_up(sender, RatchetType.APPLICATION, generation)
    notes[masked(advance.key[0])] = "message key"
    notes[masked(tree.ratchets[sender, RatchetType.APPLICATION].secret)] = "ratchet secret"
    tree.discard(advance)


def main(epochs: int) -> None:
    clients = group_of(["owner", "second", "third"])
    owner, second, third = clients
    notes: dict[bytes, str] = {}
    newcomer = Client("newcomer")
    for number in range(epochs):
        for client in clients:
            note_epoch(notes, client)
        for generation in range(2):
            message = owner.send(b"text")
            note_message(notes, second, 0, generation)
            for client in (second, third):
                client.process(message)
        if number % 10 == 5:
            keys = newcomer.package()
            notes[masked(keys.init_private)] = "init key"
            notes[masked(keys.encryption_private)] = "private key of a node"
            made = second.commit(mls.CommitIntent(add=(keys.package,)))
            for client in clients:
                client.process(made.commit)
            assert made.welcome is not None
            newcomer.join(made.welcome, keys)
            keys.wipe()
            note_epoch(notes, newcomer)
            commit_now(owner, mls.CommitIntent(remove=(3,)), [second, third, newcomer])
        else:
            commit_now(
                clients[number % 3],
                mls.CommitIntent(),
                [c for c in clients if c is not clients[number % 3]],
            )
    for client in clients:
        epoch = epoch_of(client)
        alive = [epoch.secrets.init, epoch.secrets.exporter]
        alive += [epoch.secrets.external, epoch.secrets.confirmation, epoch.secrets.membership]
        for secret in [*alive, *(private for private, _ in epoch.keys.values())]:
            notes.pop(masked(secret), None)
    gc.collect()
    alive_now = masked(epoch_of(owner).secrets.exporter).hex()
    gone = {secret.hex(): kind for secret, kind in notes.items()}
    print(json.dumps({"alive": alive_now, "gone": gone}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]))
