"""``python -m xmtp_tee.enclave``: the enclave process, without the command line around it.

Inside a TEE image nothing else needs to be installed. One JSON line on stdout says that clients can
connect; the log goes to stderr and holds no secret. Exit codes are those of
``xmtp_tee.errors.ExitCode``.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from xmtp_tee.enclave.config import DRIVERS, TEES, EnclaveConfig, kms_config
from xmtp_tee.enclave.errors import ConfigurationError
from xmtp_tee.enclave.process import receive, recover_store, run
from xmtp_tee.enclave.recovery import read_recovery_key
from xmtp_tee.enclave.wiping import wiped
from xmtp_tee.errors import XmtpTeeError


def parser() -> argparse.ArgumentParser:
    """Return the parser of the options; see :class:`EnclaveConfig`."""
    made = argparse.ArgumentParser(prog="python -m xmtp_tee.enclave", description=__doc__)
    made.add_argument("--state-dir", type=Path, required=True, help="sealed store, mode 0700")
    made.add_argument("--socket", type=Path, help="Unix socket (default: STATE_DIR/enclave.sock)")
    made.add_argument(
        "--driver",
        action="append",
        required=True,
        help="one of: "
        + ", ".join(DRIVERS)
        + "; again for each TEE that is to vouch for this enclave",
    )
    made.add_argument("--store", help="a path or postgresql://... (default: in STATE_DIR)")
    made.add_argument("--check-store", action="store_true", help="verify every record at the start")
    made.add_argument(
        "--freshness-file", type=Path, help="keep the store's last state there, out of reach"
    )
    made.add_argument(
        "--known-states",
        type=Path,
        metavar="FILE",
        help="refuse a store that does not descend from the states in FILE",
    )
    made.add_argument(
        "--receive-store-from",
        type=Path,
        metavar="SOCKET",
        help="have that enclave hand its store over to this platform, and end",
    )
    made.add_argument(
        "--recover-with",
        type=Path,
        metavar="FILE",
        help="take the store over with a recovery key (32 raw bytes), its keys as imported, and end",
    )
    made.add_argument("--root", type=Path, help="the root of this platform's evidence, DER")
    made.add_argument(
        "--predecessor-root", type=Path, help="the old enclave's, DER, if it is another one"
    )
    made.add_argument("--collateral", type=Path, help="SGX and TDX: the collateral, JSON")
    made.add_argument(
        "--must-exist", action="store_true", help="refuse to make a new store if there is none"
    )
    made.add_argument(
        "--tee",
        action="append",
        help="what the simulator stands for (default: tdx), repeatable: " + ", ".join(TEES),
    )
    made.add_argument("--certificates", type=Path, help="SEV-SNP: the certificate table")
    made.add_argument("--kms-key", metavar="ARN", help="Nitro: the AWS KMS key of the sealing root")
    made.add_argument(
        "--kms-credentials",
        type=Path,
        help="AWS credentials, JSON as the metadata service has them",
    )
    made.add_argument("--kms-blob", type=Path, help="the sealed root (default: STATE_DIR/kms-root)")
    made.add_argument(
        "--kms-connect",
        metavar="ADDRESS",
        help="vsock:CID:PORT (default: vsock:3:8000) or tcp:HOST:PORT",
    )
    made.add_argument("--kms-authorities", type=Path, help="roots of its TLS certificate, PEM")
    made.add_argument(
        "--unsafe-accept-lost-audit",
        action="store_true",
        help="begin a new audit log although the store knows one that is gone",
    )
    made.add_argument(
        "--simulator-salt", default="", help="change the simulator's measurement (a test of policy)"
    )
    made.add_argument(
        "--unsafe-simulate-on-hardware",
        action="store_true",
        help="allow the simulator on a machine that has a genuine TEE",
    )
    made.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the enclave; return the exit code."""
    options = parser().parse_args(arguments)
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(
        stream=sys.stderr,
        level=options.log_level.upper(),
        format="%(asctime)sZ %(levelname)s %(name)s: %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
    )
    try:
        return _run(options)
    except XmtpTeeError as error:
        sys.stderr.write(f"the enclave does not start: {error} [{error.code}]\n")
        sys.stderr.write(json.dumps(error.as_dict()) + "\n")
        return int(error.exit_code)


def _run(options: argparse.Namespace) -> int:
    state_dir = options.state_dir.absolute()
    driver, *further_drivers = options.driver
    tee, *further_tees = options.tee or ["tdx"]
    config = EnclaveConfig(
        state_dir=state_dir,
        driver=driver,
        further_drivers=tuple(further_drivers),
        socket=options.socket.absolute() if options.socket else None,
        store=options.store,
        must_exist=options.must_exist,
        check_store=options.check_store,
        freshness_file=options.freshness_file,
        known_states=options.known_states,
        accept_lost_audit=options.unsafe_accept_lost_audit,
        kms=kms_config(
            state_dir,
            key=options.kms_key,
            credentials=options.kms_credentials,
            blob=options.kms_blob,
            connect=options.kms_connect,
            authorities=options.kms_authorities,
        ),
        tee=tee,
        further_tees=tuple(further_tees),
        certificates=options.certificates,
        simulator_salt=options.simulator_salt.encode(),
        unsafe_simulate_on_hardware=options.unsafe_simulate_on_hardware,
    )
    if options.receive_store_from is not None:
        return _received(_receive(config, options))
    if options.recover_with is not None:
        with wiped(read_recovery_key(options.recover_with)) as private_key:
            return _received(recover_store(config, private_key))
    return run(config)


def _receive(config: EnclaveConfig, options: argparse.Namespace) -> str:
    try:
        root, collateral, old_root = (
            given.read_bytes() if given else b""
            for given in (options.root, options.collateral, options.predecessor_root)
        )
    except OSError as error:
        raise ConfigurationError(
            "A file cannot be read", got=error.filename, cause=error.strerror
        ) from None
    return receive(config, options.receive_store_from, root, collateral, old_root)


def _received(store_id: str) -> int:
    sys.stdout.write(json.dumps({"event": "received", "store_id": store_id}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
