"""How an enclave is started, and the combinations that are refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from xmtp_tee.attestation.drivers.base import Driver
from xmtp_tee.enclave.errors import ConfigurationError, DriverUnknownError

DRIVERS: Final = ("simulator",)
STORE_NAME: Final = "keys.sqlite"
SOCKET_NAME: Final = "enclave.sock"

HARDWARE_DEVICES: Final = (
    Path("/dev/tdx_guest"),
    Path("/dev/sev-guest"),
    Path("/dev/nsm"),
    Path("/dev/attestation/attestation_type"),
)
"""Device nodes of genuine TEEs (TDX, SEV-SNP, Nitro, Gramine)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What clients may take. Times in seconds.

    ``handshake``: from connecting to a complete hello. ``frame``: from the first byte of a frame to
    its last. ``write``: for the client to take an answer. A connection at rest between frames may
    stay.
    """

    connections: int = 256
    handshake: float = 5.0
    frame: float = 20.0
    write: float = 20.0


@dataclass(frozen=True, slots=True)
class EnclaveConfig:
    """The options of ``xmtp-tee enclave run``.

    ``state_dir``: the sealed store and the lock (mode 0700). ``socket``: ``enclave.sock`` in there
    by default. ``must_exist``: refuse to make a new store, as a production start should.
    ``simulator_salt`` changes the simulator's measurement. ``unsafe_simulate_on_hardware`` allows
    the simulator on a machine that has a genuine TEE.
    """

    state_dir: Path
    driver: str
    socket: Path | None = None
    must_exist: bool = False
    simulator_salt: bytes = b""
    unsafe_simulate_on_hardware: bool = False
    limits: Limits = field(default_factory=Limits)

    @property
    def socket_path(self) -> Path:
        """Where the enclave listens."""
        return self.socket or self.state_dir / SOCKET_NAME

    @property
    def store_path(self) -> Path:
        """Where the sealed store lies."""
        return self.state_dir / STORE_NAME


def make_driver(
    config: EnclaveConfig, hardware_devices: tuple[Path, ...] = HARDWARE_DEVICES
) -> Driver:
    """Return the driver that ``config`` names. There is no default and no fallback between drivers.

    :raises DriverUnknownError: if no driver has that name
    :raises ConfigurationError: if options contradict each other, or the simulator would shadow
    hardware
    """
    if config.driver not in DRIVERS:
        raise DriverUnknownError(
            "There is no such driver",
            got=repr(config.driver),
            expected="one of " + ", ".join(DRIVERS),
        )
    present = [device for device in hardware_devices if device.exists()]
    if present and not config.unsafe_simulate_on_hardware:
        raise ConfigurationError(
            "This machine has a genuine TEE, and the simulator would protect nothing",
            got=f"--driver simulator beside {present[0]}",
            next_command="xmtp-tee enclave run --unsafe-simulate-on-hardware, if that is meant",
        )
    from xmtp_tee.attestation.drivers.simulator import SimulatorDriver

    return SimulatorDriver(config.state_dir, measurement_salt=config.simulator_salt)
