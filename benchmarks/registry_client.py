"""Time of the registry's client against a local anvil: look-up, history, replay, storage proofs.

    python benchmarks/registry_client.py [--owners N] [--output FILE]

Prints a table and JSON. Figures are milliseconds, the median of the repetitions; they include anvil's own work and
no network. ``gas`` is what the node computes for the one call.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).absolute().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "python")]

from tests.client.registry_support import account, certificate_for, publication  # noqa: E402
from tests.support.maker import Maker  # noqa: E402
from tests.support.world import OWNER, World, open_world  # noqa: E402
from xmtp_tee.client.relay import Relayer  # noqa: E402
from xmtp_tee.client.state_proof.registries import ProvenRegistries  # noqa: E402

CHANGES = 50


def median_ms(work: Callable[[], Any], repetitions: int = 7) -> float:
    work()
    spent = []
    for _ in range(repetitions):
        start = time.perf_counter()
        work()
        spent.append(time.perf_counter() - start)
    return round(statistics.median(spent) * 1000, 2)


def prepare(world: World, maker: Maker, owners: int) -> list[str]:
    """Register a bundle for each owner by batches, and a history for one account."""
    world.attest(world.attestation(maker))
    people = [account(n) for n in range(1, owners + 1)]
    intents = [publication(world, maker, one, label=one.address) for one in people]
    report = Relayer(world.chain, world.deployment, world.senders[0]).register_all(intents)
    assert not report.refused
    for epoch in range(1, CHANGES + 1):
        certificate = certificate_for(world, maker, world.address(OWNER), epoch=epoch)
        act = world.register if epoch == 1 else world.rotate
        act(certificate, maker.authority, OWNER)
    return [one.address for one in people]


def measure(owners: int) -> dict[str, Any]:
    maker = Maker("benchmark")
    with open_world() as world:
        people = prepare(world, maker, owners)
        reader, subject = world.reader, world.senders[OWNER].address
        lookup = world.contract("KeyRegistry").functions.lookupKeys(people)
        head = world.chain.block()
        key = maker.identity().public_key

        def one_by_one() -> None:
            for person in people:
                reader.lookup_keys([person])

        def proven() -> None:
            registries = ProvenRegistries(world.chain, world.deployment, head.hash)
            bundle = registries.bundle(subject, key)
            enclave = registries.enclave(bundle.word.authority)
            registries.workload_level(enclave.workload)
            registries.denials(enclave.word.tee, enclave.word.platform)

        return {
            "owners": owners,
            "lookup_one_call_ms": median_ms(lambda: reader.lookup_keys(people)),
            "lookup_one_by_one_ms": median_ms(one_by_one, 3),
            "lookup_gas": lookup.estimate_gas(),
            "history_changes": CHANGES,
            "history_by_links_ms": median_ms(lambda: reader.history(subject), 3),
            "state_of_everyone_ms": median_ms(lambda: reader.state_at(head.number), 3),
            "state_events": owners + CHANGES,
            "bundle_proven_ms": median_ms(proven),
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--owners", type=int, default=100)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    if not 1 <= arguments.owners <= 255:
        parser.error("--owners takes 1 to 255")
    figures = measure(arguments.owners)
    for name, value in figures.items():
        print(f"{name:<24} {value:>12,}", file=sys.stderr)
    text = json.dumps(figures, indent=2)
    print(text)
    if arguments.output:
        arguments.output.write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
