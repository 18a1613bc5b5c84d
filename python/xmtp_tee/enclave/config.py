"""How an enclave is started, and the combinations that are refused."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from xmtp_tee.attestation.drivers.base import Driver
from xmtp_tee.enclave.errors import ConfigurationError, DriverUnknownError

if TYPE_CHECKING:
    from xmtp_tee.attestation.drivers.kms.source import KmsConfig
    from xmtp_tee.attestation.drivers.nsm import NsmTransport
    from xmtp_tee.attestation.drivers.sealing import SealSource

DRIVERS: Final = ("simulator", "tdx", "nitro", "sevsnp")
TEES: Final = ("tdx", "nitro", "sevsnp")
"""What the simulator can stand for: the real drivers on emulated devices."""
KMS_PROXY: Final = "vsock:3:8000"
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
    stay. ``memory``: bytes of unfinished frames of all clients together.
    """

    connections: int = 1024
    memory: int = 32 << 20
    handshake: float = 5.0
    frame: float = 20.0
    write: float = 20.0


@dataclass(frozen=True, slots=True)
class EnclaveConfig:
    """The options of ``xmtp-tee enclave run``.

    ``state_dir``: the lock and, unless ``store`` names another place, the sealed store (mode 0700).
    ``store``: a path, or the URL of a PostgreSQL database that several enclaves may share.
    ``check_store``: verify every record at the start, however many there are. ``freshness_file``: where
    the last state of the store is kept, out of the host's reach (``enclave.anchors``).
    ``known_states``: a file with states that others have seen (``attestation.known_states``), from
    which the store must descend. ``socket``:
    ``enclave.sock`` in the state folder by default.
    ``accept_lost_audit``: begin a new audit log although the store knows one that is gone.
    ``must_exist``: refuse to make a new store, as a production start should.
    ``kms``: AWS KMS as the source of a Nitro enclave's sealing root.
    ``driver`` attests the enclave first and seals its store; ``further_drivers`` attest it too. ``tee`` says which TEE
    the simulator stands for, ``further_tees`` which others. ``certificates``: SEV-SNP's certificate table, for hosts
    that hand none over. ``simulator_salt`` changes the simulator's measurement. ``unsafe_simulate_on_hardware`` allows
    the simulator on a machine that has a genuine TEE.
    """

    state_dir: Path
    driver: str
    socket: Path | None = None
    store: str | None = None
    must_exist: bool = False
    check_store: bool = False
    freshness_file: Path | None = None
    known_states: Path | None = None
    accept_lost_audit: bool = False
    kms: KmsConfig | None = None
    tee: str = "tdx"
    further_drivers: tuple[str, ...] = ()
    further_tees: tuple[str, ...] = ()
    certificates: Path | None = None
    simulator_salt: bytes = b""
    unsafe_simulate_on_hardware: bool = False
    limits: Limits = field(default_factory=Limits)

    @property
    def socket_path(self) -> Path:
        """Where the enclave listens."""
        return self.socket or self.state_dir / SOCKET_NAME

    @property
    def store_name(self) -> str:
        """Where the sealed store lies: a path or a URL."""
        return self.store or str(self.state_dir / STORE_NAME)


def make_drivers(
    config: EnclaveConfig, hardware_devices: tuple[Path, ...] = HARDWARE_DEVICES
) -> tuple[Driver, ...]:
    """Return the drivers that ``config`` names, one for each kind of TEE that vouches for this enclave.

    :raises DriverUnknownError: if no driver has that name
    :raises ConfigurationError: as :func:`make_driver`; or the simulator beside another driver; or one kind twice
    """
    names = (config.driver, *config.further_drivers)
    for name in names:
        _require_known(name)
    if config.further_drivers and "simulator" in names:
        raise ConfigurationError(
            "The simulator and other drivers do not attest one enclave together",
            got=" ".join(f"--driver {name}" for name in names),
            expected="--driver simulator with several --tee",
        )
    if config.further_tees and config.driver != "simulator":
        raise ConfigurationError(
            "Options of the simulator do not go with another driver",
            got=f"--driver {config.driver}",
            expected="no --tee",
        )
    alone = replace(config, further_drivers=(), further_tees=())
    single = [replace(alone, driver=name) for name in names]
    single += [replace(alone, tee=tee) for tee in config.further_tees]
    if len(single) > 1:
        # The certificate table and the key service belong each to the one driver that takes it.
        if config.certificates is not None and "sevsnp" not in names:
            raise ConfigurationError("Only SEV-SNP's driver takes certificates")
        if config.kms is not None and not any("nitro" in (one.driver, one.tee) for one in single):
            raise ConfigurationError("AWS KMS judges documents of Nitro enclaves alone")
        single = [
            replace(
                one,
                certificates=one.certificates if one.driver == "sevsnp" else None,
                kms=one.kms if "nitro" in (one.driver, one.tee) else None,
            )
            for one in single
        ]
    drivers = tuple(make_driver(one, hardware_devices) for one in single)
    kinds = [driver.tee.label for driver in drivers]
    if len(set(kinds)) != len(kinds):
        raise ConfigurationError(
            "One kind of TEE attests an enclave once", got=", ".join(kinds), expected="distinct"
        )
    return drivers


def make_driver(
    config: EnclaveConfig, hardware_devices: tuple[Path, ...] = HARDWARE_DEVICES
) -> Driver:
    """Return the driver that ``config`` names. There is no default and no fallback between drivers.

    :raises DriverUnknownError: if no driver has that name
    :raises ConfigurationError: if options contradict each other, or the simulator would shadow
    hardware
    """
    _require_known(config.driver)
    if config.kms is not None and "nitro" not in (config.driver, config.tee):
        raise ConfigurationError(
            "AWS KMS judges documents of Nitro enclaves alone", got=f"--driver {config.driver}"
        )
    if config.driver == "simulator":
        return _simulator(config, hardware_devices)
    if config.simulator_salt or config.unsafe_simulate_on_hardware or config.tee != "tdx":
        raise ConfigurationError(
            "Options of the simulator do not go with another driver",
            got=f"--driver {config.driver}",
            expected="no --tee, no --simulator-salt, no --unsafe-simulate-on-hardware",
        )
    if config.driver == "nitro":
        if config.certificates is not None:
            raise ConfigurationError("Nitro's documents carry their certificates themselves")
        from xmtp_tee.attestation.drivers.nitro import NitroDriver
        from xmtp_tee.attestation.drivers.nsm import NsmDevice

        device = NsmDevice()
        nitro = NitroDriver(device, _key_service(config.kms, device))
        nitro.require_module()
        return nitro
    if config.driver == "tdx":
        if config.certificates is not None:
            raise ConfigurationError("A TDX quote carries its certificates itself")
        from xmtp_tee.attestation.drivers.tdx import TdxDriver

        return TdxDriver()
    from xmtp_tee.attestation.drivers.sevsnp import SevSnpDriver, read_certificates

    given = None if config.certificates is None else read_certificates(config.certificates)
    return SevSnpDriver(certificates=given)


def _require_known(driver: str) -> None:
    if driver not in DRIVERS:
        raise DriverUnknownError(
            "There is no such driver", got=repr(driver), expected="one of " + ", ".join(DRIVERS)
        )


def _simulator(config: EnclaveConfig, hardware_devices: tuple[Path, ...]) -> Driver:
    if config.tee not in TEES:
        raise ConfigurationError(
            "The simulator cannot stand for this TEE",
            got=repr(config.tee),
            expected="one of " + ", ".join(TEES),
        )
    if config.certificates is not None:
        raise ConfigurationError("The simulator has certificates of its own")
    present = [device for device in hardware_devices if device.exists()]
    if present and not config.unsafe_simulate_on_hardware:
        raise ConfigurationError(
            "This machine has a genuine TEE, and the simulator would protect nothing",
            got=f"--driver simulator beside {present[0]}",
            next_command="xmtp-tee enclave run --unsafe-simulate-on-hardware, if that is meant",
        )
    from xmtp_tee.attestation.drivers import emulated

    if config.tee == "nitro":
        return emulated.emulated_nitro(
            config.state_dir, measurement_salt=config.simulator_salt, kms=config.kms
        )
    make = emulated.emulated_tdx if config.tee == "tdx" else emulated.emulated_sevsnp
    return make(config.state_dir, measurement_salt=config.simulator_salt)


def _key_service(kms: KmsConfig | None, device: NsmTransport) -> SealSource | None:
    if kms is None:
        return None
    from xmtp_tee.attestation.drivers.kms.source import KmsSealSource

    return KmsSealSource(kms, device)


def kms_config(
    state_dir: Path,
    *,
    key: str | None,
    credentials: Path | None,
    blob: Path | None = None,
    connect: str | None = None,
    authorities: Path | None = None,
) -> KmsConfig | None:
    """Return what the options say of AWS KMS; None if they say nothing.

    ``blob``: ``kms-root`` in the state folder by default. ``connect``: the parent's proxy on vsock
    port 8000 by default.

    :raises ConfigurationError: if only a part is given
    :raises FieldError: if the key is no full ARN, or ``connect`` no address
    """
    if key is None or credentials is None:
        if any(each is not None for each in (key, credentials, blob, connect, authorities)):
            raise ConfigurationError(
                "AWS KMS needs a key and credentials", expected="--kms-key and --kms-credentials"
            )
        return None
    from xmtp_tee.attestation.drivers.kms.line import Line
    from xmtp_tee.attestation.drivers.kms.service import KmsKey
    from xmtp_tee.attestation.drivers.kms.source import KmsConfig

    named = KmsKey(key)
    line = Line(named.host, connect or KMS_PROXY, authorities)
    return KmsConfig(named, line, blob or state_dir / "kms-root", credentials)
