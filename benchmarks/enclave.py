"""The enclave's speed, beside what one process can do without it, in the same run.

    python -m benchmarks.enclave [--quick] [--keys N] [--output FILE]

Signatures are Ed25519ph over 200 bytes, with authentication (peer credentials), policy and audit on. Every comparison
is a pair, taken one right after the other, several times; the figure is the median of the pairs' ratios, for the
machine may be busy with other things. SoftHSM2 is measured where it is installed (Debian: softhsm2, PyPI:
python-pkcs11), and its ratio is absent where it is not.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ROOT = Path(__file__).absolute().parents[1]
RESULTS = Path(__file__).parent / "results" / "enclave.json"
SOFTHSM = Path("/usr/lib/softhsm/libsofthsm2.so")
MESSAGE = b"m" * 200
CLIENTS = 16
BATCH = 100
sys.path.insert(0, str(ROOT))

from tests.enclave.support import OWNER, EnclaveProcess  # noqa: E402
from xmtp_tee.client.key_manager import KeyManager  # noqa: E402
from xmtp_tee.wire import messages as wire  # noqa: E402
from xmtp_tee.wire.codec import encode_request, request  # noqa: E402

BARS = {
    "sign_ed25519.ops_per_s_16_clients / in_process": (">=", 0.4),
    "sign_ed25519.ops_per_s_16_clients / softhsm2": (">=", 3.0),
    "sign_ed25519.p50_1_client / in_process": ("<=", 3.0),
    "sign_batch_100 per signature / single": ("<=", 0.6),
    "million_keys.open_seconds": ("<=", 1.0),
    "million_keys.look_up_p50 / thousand_keys": ("<=", 1.5),
    "million_keys.peak_memory_mib": ("<=", 200.0),
}


# --- references -----------------------------------------------------------------------------------


def in_process(seconds: float) -> dict[str, float]:
    """`cryptography`'s Ed25519, one after the other in this process."""
    key = Ed25519PrivateKey.generate()
    return timed(lambda: key.sign(MESSAGE), seconds)


def timed(act: Callable[[], object], seconds: float) -> dict[str, float]:
    now, times = time.perf_counter, []
    begin = now()
    while (start := now()) - begin < seconds:
        act()
        times.append(now() - start)
    return {"per_second": len(times) / (now() - begin), "p50_us": statistics.median(times) * 1e6}


@contextmanager
def softhsm() -> Iterator[Callable[[float], dict[str, float]] | None]:
    """A token with an Ed25519 key, through PKCS#11 in this process."""
    try:
        import pkcs11
        from pkcs11.util.ec import encode_named_curve_parameters
    except ImportError:
        yield None
        return
    if not SOFTHSM.exists():
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tokens").mkdir()
        configuration = Path(folder) / "softhsm2.conf"
        configuration.write_text(f"directories.tokendir = {folder}/tokens\nlog.level = ERROR\n")
        os.environ["SOFTHSM2_CONF"] = str(configuration)
        subprocess.run(
            [
                "softhsm2-util",
                "--init-token",
                "--free",
                "--label",
                "t",
                "--pin",
                "1234",
                "--so-pin",
                "1234",
            ],
            check=True,
            capture_output=True,
        )
        token = pkcs11.lib(str(SOFTHSM)).get_token(token_label="t")  # noqa: S106
        with token.open(user_pin="1234") as session:
            parameters = session.create_domain_parameters(
                pkcs11.KeyType.EC_EDWARDS,
                {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters("1.3.101.112")},
                local=True,
            )
            _, key = parameters.generate_keypair(
                mechanism=pkcs11.Mechanism.EC_EDWARDS_KEY_PAIR_GEN, label="k"
            )
            yield lambda seconds: timed(
                lambda: key.sign(MESSAGE, mechanism=pkcs11.Mechanism.EDDSA), seconds
            )


# --- the enclave ----------------------------------------------------------------------------------


def load(socket: Path, frames: list[bytes], clients: int, seconds: float) -> dict[str, float]:
    """Clients in a process of their own."""
    text = "\n".join(frame.hex() for frame in frames)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.enclave_load", str(socket), str(seconds), str(clients)],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return dict(json.loads(done.stdout))


def frame(*operations: wire.Operation) -> bytes:
    if len(operations) == 1:
        return encode_request(request(1, operations[0]))
    raw = tuple(msgspec.Raw(msgspec.msgpack.encode(operation)) for operation in operations)
    return encode_request(request(1, wire.Batch(operations=raw)))


def measure_signing(rounds: int, seconds: float) -> dict[str, Any]:
    ratios: dict[str, list[float]] = {"in_process": [], "softhsm2": [], "p50": [], "batch": []}
    figures: dict[str, list[float]] = {}

    def note(name: str, value: float) -> float:
        figures.setdefault(name, []).append(value)
        return value

    with (
        tempfile.TemporaryDirectory(prefix="xb-") as folder,
        softhsm() as token,
        EnclaveProcess(Path(folder), "--log-level", "warning") as enclave,
    ):
        with KeyManager(enclave.socket) as keys:
            key_id = keys.generate_identity_key(OWNER).id
        single = [frame(wire.Sign(key_id=key_id, message=MESSAGE))]
        batch = [frame(*[wire.Sign(key_id=key_id, message=MESSAGE)] * BATCH)]
        for _ in range(rounds):
            alone = in_process(seconds / 2)
            many = load(enclave.socket, single, CLIENTS, seconds)
            note("in_process_per_s", alone["per_second"])
            note("ops_per_s_16_clients", many["per_second"])
            ratios["in_process"].append(many["per_second"] / alone["per_second"])
            if token is not None:
                hsm = note("softhsm2_per_s", token(seconds / 2)["per_second"])
                again = load(enclave.socket, single, CLIENTS, seconds)["per_second"]
                ratios["softhsm2"].append(again / hsm)
            alone, one = in_process(seconds / 2), load(enclave.socket, single, 1, seconds)
            note("in_process_p50_us", alone["p50_us"])
            note("p50_1_client_us", one["p50_us"])
            ratios["p50"].append(one["p50_us"] / alone["p50_us"])
            bundle = load(enclave.socket, batch, 1, seconds)
            note("batch_100_per_signature_us", bundle["p50_us"] / BATCH)
            ratios["batch"].append(bundle["p50_us"] / BATCH / one["p50_us"])
    result = {name: round(statistics.median(values), 1) for name, values in figures.items()}
    bars = {
        "sign_ed25519.ops_per_s_16_clients / in_process": ratios["in_process"],
        "sign_ed25519.ops_per_s_16_clients / softhsm2": ratios["softhsm2"],
        "sign_ed25519.p50_1_client / in_process": ratios["p50"],
        "sign_batch_100 per signature / single": ratios["batch"],
    }
    return {
        "figures": result,
        "bars": {name: round(statistics.median(v), 3) for name, v in bars.items() if v},
    }


# --- the large store ------------------------------------------------------------------------------

_CHILD = """
import json, sys
root, function, arguments = json.loads(sys.argv[1])
sys.path.insert(0, root)
from benchmarks import enclave_store
print(json.dumps(getattr(enclave_store, function)(*arguments)))
"""


def in_child(function: str, *arguments: str | int) -> Any:
    """Call a function of ``enclave_store`` in a process of its own."""
    call = json.dumps([str(ROOT), function, arguments])
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, call], capture_output=True, text=True, check=False, cwd=ROOT
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def measure_store(keys: int, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="xb-") as folder:
        small, large = f"{folder}/small.sqlite", f"{folder}/large.sqlite"
        in_child("fill", small, 1000)
        filled = in_child("fill", large, keys)
        mib = Path(large).stat().st_size >> 20
        alone = [in_child("open_alone", large) for _ in range(rounds)]
        pairs = [in_child("look_up_in_turns", small, large) for _ in range(rounds)]
    p50 = {size: [pair[f"p50_us_{size}"] for pair in pairs] for size in ("small", "large")}
    ratio = statistics.median(b / a for a, b in zip(p50["small"], p50["large"], strict=True))
    return {
        "figures": {
            "keys": keys,
            "store_mib": mib,
            "fill_seconds": round(filled["seconds"], 1),
            "look_up_p50_us": round(statistics.median(p50["large"]), 1),
            "look_up_p50_us_1000": round(statistics.median(p50["small"]), 1),
        },
        "bars": {
            "million_keys.open_seconds": round(max(b["open_seconds"] for b in alone), 3),
            "million_keys.look_up_p50 / thousand_keys": round(ratio, 3),
            "million_keys.peak_memory_mib": max(b["peak_mib"] for b in alone),
        },
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, 20,000 keys")
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--only", choices=("signing", "store"))
    options = parser.parse_args()
    rounds, seconds, keys = (1, 1.0, 20_000) if options.quick else (5, 3.0, options.keys)
    parts = {}
    if options.only != "store":
        parts["signing"] = measure_signing(rounds, seconds)
    if options.only != "signing":
        parts["store"] = measure_store(keys, rounds)
    bars = {name: value for part in parts.values() for name, value in part["bars"].items()}
    figures = {name: value for part in parts.values() for name, value in part["figures"].items()}
    met = {}
    for name, value in bars.items():
        sign, bar = BARS[name]
        met[name] = value >= bar if sign == ">=" else value <= bar
        print(f"{'ok  ' if met[name] else 'MISS'} {name:<52} {value:>9}  ({sign} {bar})")
    for name, value in figures.items():
        print(f"     {name:<52} {value:>9}")
    document = {
        "format": 1,
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
        "bars": {
            n: {"value": v, "bar": " ".join(map(str, BARS[n])), "met": met[n]}
            for n, v in bars.items()
        },
        "figures": figures,
    }
    options.output.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(
        f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB"
    )
    return 0 if all(met.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
