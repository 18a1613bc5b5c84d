"""The order of the demonstration, and what counts as success."""

from __future__ import annotations

import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from xmtp_tee.client.chain_errors import ContractRefused
from xmtp_tee.commands.console import Console
from xmtp_tee.demo import agent, cheats, steps
from xmtp_tee.demo.processes import checkout
from xmtp_tee.demo.report import Done, Outcome
from xmtp_tee.demo.stage import Attempt, Stage
from xmtp_tee.demo.tees import tee_named
from xmtp_tee.errors import XmtpTeeError

STORY: tuple[tuple[str, Callable[[Stage], Done]], ...] = (
    ("start anvil", steps.start_anvil),
    ("deploy the contracts", steps.deploy),
    ("bring the collateral", steps.bring_collateral),
    ("trust the workload", steps.trust_workload),
    ("start the enclave", steps.start_enclave),
    ("make keys in the enclave", steps.make_keys),
    ("quote, verified off chain", steps.quote_and_verify),
    ("register with the quote", steps.register_with_quote),
    ("register a second bundle", steps.register_certified),
    ("rotate the pre-key", steps.rotate),
    ("read back and compare", steps.compare),
    ("revoke the second bundle", steps.revoke),
)
# Name, attempt, and the one custom error that is the right answer.
CHEATS: tuple[tuple[str, Callable[[Stage], Attempt], str], ...] = (
    ("cheat: one bit flipped", cheats.flipped_bit, "QuoteSignatureInvalid"),
    ("cheat: unknown workload", cheats.unknown_workload, "WorkloadNotTrusted"),
    ("cheat: another owner's proof", cheats.another_owners_proof, "CertificateSignerMismatch"),
    ("cheat: stale block", cheats.stale_block, "BlockTooOld"),
    ("cheat: old pre-key", cheats.old_pre_key, "EpochNotGreater"),
)
AGENT: tuple[tuple[str, Callable[[Stage], Done]], ...] = (
    ("agent: an XMTP network", agent.start_network),
    ("agent: published, relayed", agent.publish_agent),
    ("agent: answers libxmtp", agent.converse),
    ("agent: checked by its peer", agent.check_agent),
)
# Enough for every refusal; below the limit of a transaction (EIP-7825).
CHEAT_GAS = 8_000_000
HEARTBEAT_SECONDS = 5.0
HINTS = {"deploy the contracts": " (compiled the first time, about a minute)"}


def run(console: Console, *, keep: bool = False, tee: str = "tdx") -> list[Outcome]:
    """Run everything; stop the story at the first failure, for the rest stands on it."""
    root = checkout()
    folder = Path(tempfile.mkdtemp(prefix="xmtp-tee-demo-"))
    outcomes: list[Outcome] = []
    try:
        with _terminable(), ExitStack() as stack:
            stage = Stage(root=root, folder=folder, stack=stack, tee=tee_named(tee))
            for name, step in STORY:
                outcomes.append(_run_step(console, name, lambda step=step: step(stage)))  # type: ignore[misc]
                if not outcomes[-1].ok:
                    return outcomes
            for name, attempt, expected in CHEATS:
                if attempt is cheats.flipped_bit:
                    # Each TEE's verifier has its own word for a broken signature; this one is DCAP's.
                    expected = stage.tee.flip_refusal  # noqa: PLW2901
                outcomes.append(
                    _run_step(
                        console,
                        name,
                        lambda attempt=attempt, expected=expected: _cheat(stage, attempt, expected),  # type: ignore[misc]
                    )
                )
            for name, step in AGENT:
                outcomes.append(_run_step(console, name, lambda step=step: step(stage)))  # type: ignore[misc]
                if not outcomes[-1].ok:
                    return outcomes
    finally:
        if keep:
            console.say(f"logs: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return outcomes


def _cheat(stage: Stage, attempt: Callable[[Stage], Attempt], expected: str) -> Done:
    """Send the transaction for real; it must be mined and refused with exactly the expected error."""
    trial = attempt(stage)
    try:
        receipt = stage.need(stage.chain).transact(
            trial.function, trial.sender, gas=CHEAT_GAS, rehearse=False
        )
    except ContractRefused as refused:
        if refused.error_name != expected:
            raise
        return Done(f"refused: {_short(refused.text)}", refused.gas_used)
    raise RuntimeError(f"NOT refused, expected {expected} (transaction {receipt.transaction})")


def _run_step(console: Console, name: str, step: Callable[[], Done]) -> Outcome:
    start = time.monotonic()
    console.say(f"... {name}")
    try:
        with _heartbeat(console, name):
            done = step()
        outcome = Outcome(
            name, True, done.text, done.gas, time.monotonic() - start, skipped=done.skipped
        )
    except ContractRefused as error:
        outcome = Outcome(name, False, error.text, error.gas_used, time.monotonic() - start)
    except XmtpTeeError as error:
        outcome = Outcome(name, False, str(error), None, time.monotonic() - start)
    except Exception as error:  # noqa: BLE001 - any failure of a step is a failed step, never a pass
        text = f"{type(error).__name__}: {error}"
        outcome = Outcome(name, False, text, None, time.monotonic() - start)
    colour = "red" if not outcome.ok else "yellow" if outcome.skipped else "green"
    # What was skipped says so in its own words.
    mark = "FAILED " if not outcome.ok else "" if outcome.skipped else "ok "
    gas = "" if outcome.gas is None else f" (gas {outcome.gas:,})"
    console.say(f"{mark} {outcome.result}{gas}  {outcome.seconds:.1f} s", colour=colour)
    return outcome


@contextmanager
def _heartbeat(console: Console, name: str) -> Iterator[None]:
    """Say every few seconds that a long step goes on; the first deployment compiles the contracts."""
    done = threading.Event()
    start = time.monotonic()

    def beat() -> None:
        while not done.wait(HEARTBEAT_SECONDS):
            hint = HINTS.get(name, "")
            console.say(f"    {name}{hint}: {time.monotonic() - start:.0f} s")

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM unwind like Ctrl-C, so that no process is left behind."""

    def stop(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _short(text: str) -> str:
    """Abbreviate long hex numbers, so that the table keeps its shape."""
    words = [
        f"{word[:12]}..{word[-5:]}" if word.startswith("0x") and len(word) > 24 else word
        for word in text.split(" ")
    ]
    return " ".join(words)
