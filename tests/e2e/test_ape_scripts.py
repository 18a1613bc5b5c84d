"""The Ape scripts as an operator calls them: deploy, status, policy, registry, collateral, on a running chain.

Every command here runs where Ape finds no compiler: what is deployed is what forge made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_abi import encode

from tests.support.chain import Anvil
from tests.support.operator import Operator
from tools.project import compiled
from xmtp_tee.attestation.sevsnp.product import ProductLine, Tcb
from xmtp_tee.attestation.simulator.nitro import development_nitro_root
from xmtp_tee.client.chain import Chain
from xmtp_tee.client.collateral import CollateralSync
from xmtp_tee.client.deployment import CONTRACTS, Deployment
from xmtp_tee.errors import ExitCode, XmtpTeeError

# A cold start compiles every contract with an emscripten solc.
pytestmark = pytest.mark.timeout(600)
# What the client needs, and the anchor for stores.
DEPLOYED = len(CONTRACTS) + 1
EVERY_TEE = ("--tee", "sgx", "--tee", "nitro", "--tee", "sev-snp")
ZERO = "0x" + "00" * 20
AUTHORITY = "0x00000000000000000000000000000000000a0701"


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """An operator whose deployment was made by the script."""
    folder = tmp_path_factory.mktemp("ape")
    path = folder / "local.json"
    with Anvil() as anvil, Operator(anvil.url, path, folder) as operator:
        output = operator.must("deploy", "--output", str(path))
        assert "DEVELOPMENT ROOT" in output
        assert output.count("  deployed\n") == len(Deployment.load(path).contracts)
        yield operator


@pytest.fixture(scope="module")
def every(operator: Operator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The deployment file of a second deployment, which accepts the evidence of every TEE."""
    path = tmp_path_factory.mktemp("every") / "every.json"
    operator.must("deploy", *EVERY_TEE, "--output", str(path))
    return path


# --- deploy ---------------------------------------------------------------------------------------


def test_deploy_script_writes_a_deployment_that_the_client_reads(operator: Operator) -> None:
    deployment = Deployment.load(operator.deployment)
    chain = Chain(operator.url)
    assert deployment.development_root is True
    assert deployment.chain_id == chain.chain_id
    assert deployment.parameters["root"] == "development"
    for name, address in deployment.contracts.items():
        assert chain.contract(name, address).address == address
    registry = chain.contract("KeyRegistry", deployment.address("KeyRegistry"))
    enclaves = chain.read(registry.functions.enclaveRegistry())
    assert enclaves == deployment.address("EnclaveRegistry")


def test_deploying_again_deploys_nothing_and_writes_the_same_file(operator: Operator) -> None:
    chain = Chain(operator.url)
    before, block = operator.deployment.read_text(), chain.block().number
    again = operator.must("deploy", "--output", str(operator.deployment))
    assert again.count("stands already") == len(Deployment.load(operator.deployment).contracts)
    assert chain.block().number == block
    assert operator.deployment.read_text() == before


def test_a_lost_deployment_file_is_written_anew_with_the_block_found(
    operator: Operator, tmp_path: Path
) -> None:
    path = tmp_path / "again.json"
    operator.must("deploy", "--output", str(path))
    assert Deployment.load(path) == Deployment.load(operator.deployment)


def test_a_file_of_a_chain_that_was_begun_anew_does_not_give_its_block(
    operator: Operator, tmp_path: Path
) -> None:
    path = rewritten(operator.deployment, tmp_path, deployedAtBlock=10**6)
    operator.must("deploy", "--output", path)
    assert Deployment.load(Path(path)) == Deployment.load(operator.deployment)


def test_a_deployment_file_of_another_chain_is_not_overwritten(
    operator: Operator, tmp_path: Path
) -> None:
    path = rewritten(operator.deployment, tmp_path, chainId=4242)
    before = Path(path).read_text()
    said = operator.refused("deploy", "--output", path)
    assert "got chain id 4242, expected 31337" in said
    assert Path(path).read_text() == before


def test_a_file_that_is_no_deployment_is_not_overwritten(
    operator: Operator, tmp_path: Path
) -> None:
    path = rewritten(operator.deployment, tmp_path, format=9)
    assert "format 9" in operator.refused("deploy", "--output", path)


def test_a_dry_run_says_where_and_for_how_much_gas_and_sends_nothing(
    operator: Operator, tmp_path: Path
) -> None:
    parameters = altered(tmp_path, salt="another deployment")
    chain = Chain(operator.url)
    block, path = chain.block().number, tmp_path / "dry.json"
    said = operator.must("deploy", "--dry-run", "--parameters", parameters, "--output", str(path))
    assert said.count("would be deployed, gas ") == DEPLOYED
    assert "not estimated" not in said
    assert not path.exists()
    assert chain.block().number == block
    expected = dict(line.split()[:2] for line in said.splitlines() if "would be" in line)
    operator.must("deploy", "--parameters", parameters, "--output", str(path))
    assert dict(Deployment.load(path).contracts) == expected


def test_the_addresses_are_the_same_on_another_chain(operator: Operator, tmp_path: Path) -> None:
    with Anvil(options=("--chain-id", "4242")) as anvil:
        with Operator(anvil.url, tmp_path / "other.json", tmp_path) as other:
            other.must("deploy", "--output", str(other.deployment))
        elsewhere = Deployment.load(other.deployment)
    assert elsewhere.chain_id == 4242
    assert elsewhere.contracts == Deployment.load(operator.deployment).contracts


def test_a_chain_without_the_proxy_is_refused_and_told_how_to_get_it(
    operator: Operator, undone: Chain
) -> None:
    deployer = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
    undone.request("anvil_setCode", deployer, "0x")
    said = operator.refused("deploy")
    assert "not on this chain" in said
    assert "cast publish" in said
    undone.request("anvil_setCode", deployer, "0x00")
    assert "another contract stands" in operator.refused("deploy")


def test_other_code_at_a_planned_address_is_refused(operator: Operator, undone: Chain) -> None:
    address = Deployment.load(operator.deployment).address("EnclavePolicy")
    undone.request("anvil_setCode", address, "0x6001")
    assert "EnclavePolicy: other code stands" in operator.refused("deploy")


def test_production_parameters_without_a_root_file_are_refused(operator: Operator) -> None:
    assert "no root certificate" in operator.refused("deploy", "--parameters", "production")


def test_a_deployment_with_a_vendors_root_is_not_the_deploying_accounts(
    operator: Operator, tmp_path: Path
) -> None:
    root = tmp_path / "root.der"
    root.write_bytes(b"any")
    parameters = altered(tmp_path, root=str(root))
    assert "owner is not set" in operator.refused("deploy", "--parameters", parameters)


def test_guardians_are_appointed_where_the_sender_may(operator: Operator, tmp_path: Path) -> None:
    guardian = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
    parameters = altered(tmp_path, salt="guarded", guardians=f'["{guardian}"]')
    path = tmp_path / "guarded.json"
    said = operator.must("deploy", "--parameters", parameters, "--output", str(path))
    assert "has yet to add" not in said
    assert guardian in operator.must("policy", "guardians", "--deployment", str(path))


def test_every_tees_verifier_is_deployed_where_it_is_wanted(
    operator: Operator, every: Path
) -> None:
    deployment, chain = Deployment.load(every), Chain(operator.url)
    assert deployment.parameters["tees"] == ["tdx", "sgx", "nitro", "sev-snp"]
    router = chain.contract("AttestationVerifier", deployment.address("AttestationVerifier"))
    for kind, name in enumerate(
        ("DcapVerifier", "DcapVerifier", "NitroVerifier", "SevSnpVerifier"), start=1
    ):
        assert chain.read(router.functions.route(kind)) == deployment.address(name)
        verifier = chain.contract(name, deployment.address(name))
        assert chain.read(verifier.functions.developmentRoot()) is True
    assert "NOT" not in operator.must("status", "--deployment", str(every))
    again = operator.must("deploy", *EVERY_TEE, "--output", str(every))
    assert "deployed\n" not in again.replace("stands already", "")


# --- status ---------------------------------------------------------------------------------------


def test_ape_itself_runs_status_and_finds_everything_as_the_sources_make_it(
    operator: Operator,
) -> None:
    done = operator.ape("status")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("as the sources make it") == DEPLOYED
    for what in ("DEVELOPMENT", "owner", "there is no lock", "guardians", "paused"):
        assert what in done.stdout


@pytest.mark.parametrize("name", ["KeyRegistry", "EnclaveRegistry"])
def test_status_finds_a_contract_that_is_not_what_the_sources_make(
    operator: Operator, undone: Chain, name: str
) -> None:
    address = Deployment.load(operator.deployment).address(name)
    code = bytearray.fromhex(str(undone.request("eth_getCode", address, "latest"))[2:])
    code[-60] ^= 1
    undone.request("anvil_setCode", address, "0x" + code.hex())
    said = operator.refused("status")
    assert f"{address}  NOT what the sources make" in said


def test_status_finds_a_contract_that_is_missing(operator: Operator, undone: Chain) -> None:
    address = Deployment.load(operator.deployment).address("AttestationVerifier")
    undone.request("anvil_setCode", address, "0x")
    assert f"{address}  NOTHING stands there" in operator.refused("status")


def test_status_names_all_that_a_constructor_fixed_otherwise_than_the_file_says(
    operator: Operator, every: Path, tmp_path: Path
) -> None:
    changes = {
        "maxBlockAge": (8191, "maxBlockAge(): got 256, expected 8191"),
        "attestationTtl": (60, "attestationTtl(): got 604800, expected 60"),
        "additionDelay": (7200, "additionDelay(): got 0, expected 7200"),
        "identityRegistry": (AUTHORITY, f"identityRegistry(): got {ZERO}, expected {AUTHORITY}"),
        "collateralGrace": (60, "COLLATERAL_GRACE(): got 0, expected 60"),
        "nitroGrace": (60, "certificateGrace(): got 604800, expected 60"),
        "sevSnpFloorKeeper": (AUTHORITY, f"floorKeeper(): got {ZERO}, expected {AUTHORITY}"),
    }
    changed = {field: value for field, (value, _) in changes.items()}
    path = rewritten(every, tmp_path, parameters=changed)
    shown = operator.refused("status", "--deployment", path)
    for _, said in changes.values():
        assert said.lower() in shown.lower()
    assert shown.count(": got ") == len(changes)


def test_status_finds_a_route_that_the_file_does_not_name(
    operator: Operator, every: Path, tmp_path: Path
) -> None:
    path = rewritten(every, tmp_path, parameters={"tees": ["tdx", "sev-snp"]})
    shown = operator.refused("status", "--deployment", path)
    assert f"route(nitro): got {Deployment.load(every).address('NitroVerifier')}" in shown


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("owner", AUTHORITY),
        ("sevSnpFloors", {"Milan": {"boot_loader": 3, "snp": 24, "microcode": 219}}),
    ],
)
def test_status_finds_by_the_address_what_no_contract_shows(
    operator: Operator, every: Path, tmp_path: Path, field: str, value: object
) -> None:
    path = rewritten(every, tmp_path, parameters={field: value})
    assert "NOT constructed as the deployment file says" in operator.refused(
        "status", "--deployment", path
    )


def test_status_finds_a_root_that_is_not_what_the_file_says(
    operator: Operator, every: Path, tmp_path: Path
) -> None:
    path = rewritten(every, tmp_path, developmentRoot=False)
    shown = operator.refused("status", "--deployment", path)
    assert shown.count("developmentRoot(): got True, expected False") == 4


def test_status_finds_every_contract_that_asks_another_than_the_files(
    operator: Operator, every: Path, undone: Chain
) -> None:
    asks = [
        ("KeyRegistry", "EnclaveRegistry", "enclaveRegistry()"),
        ("EnclaveRegistry", "EnclavePolicy", "policy()"),
        ("EnclaveRegistry", "AttestationVerifier", "verifier()"),
        ("AttestationVerifier", "DcapVerifier", "route(sgx)"),
        ("AttestationVerifier", "DcapVerifier", "route(tdx)"),
        ("AttestationVerifier", "NitroVerifier", "route(nitro)"),
        ("AttestationVerifier", "SevSnpVerifier", "route(sev-snp)"),
        ("NitroVerifier", "P384", "p384()"),
        ("NitroVerifier", "Sha384Hasher", "sha384()"),
        ("SevSnpVerifier", "P384", "p384()"),
    ]
    where = Deployment.load(every)
    for asking, asked in dict.fromkeys((asking, asked) for asking, asked, _ in asks):
        code = str(undone.request("eth_getCode", where.address(asking), "latest"))
        ours = where.address(asked)[2:].lower()
        assert ours in code
        undone.request("anvil_setCode", where.address(asking), code.replace(ours, AUTHORITY[2:]))
    shown = operator.refused("status", "--deployment", str(every))
    # The code is, but for what a constructor writes into it.
    assert "NOT what the sources make" not in shown
    for _, asked, value in asks:
        expected = f"{value}: got {AUTHORITY}, expected {where.address(asked)}"
        assert expected.lower() in shown.lower()
    assert shown.count(": got ") == len(asks)


def test_status_finds_a_verifier_that_was_built_with_a_stub_for_p384(
    operator: Operator, every: Path, undone: Chain, tmp_path: Path
) -> None:
    where = Deployment.load(every)
    stub = where.address("Sha384Hasher")  # any contract will do for the constructor
    made = compiled("contracts/attestation/nitro/NitroVerifier.sol", "NitroVerifier").artifact
    arguments = encode(
        ["address", "address", "bytes", "uint64"], [stub, stub, development_nitro_root(), 604_800]
    )
    code = made["bytecode"]["object"] + arguments.hex()
    eth = undone.web3.eth
    sent = eth.send_transaction({"from": eth.accounts[0], "data": code, "gas": 2**24})
    receipt = eth.wait_for_transaction_receipt(sent)
    path = rewritten(every, tmp_path, contracts={"NitroVerifier": receipt["contractAddress"]})
    shown = operator.refused("status", "--deployment", path)
    assert "NOT what the sources make" not in shown
    assert "NOT constructed as the deployment file says" in shown
    assert f"p384(): got {stub}, expected {where.address('P384')}" in shown


def test_status_finds_a_contract_that_the_file_leaves_out(
    operator: Operator, every: Path, tmp_path: Path
) -> None:
    path = rewritten(every, tmp_path, contracts={"P384": None})
    assert "NOT in the deployment file" in operator.refused("status", "--deployment", path)


# --- policy ---------------------------------------------------------------------------------------


def test_policy_script_adds_lists_and_removes_a_workload(operator: Operator) -> None:
    workload = "0x" + "ab" * 32
    assert "no workload" in operator.must("policy", "list")
    operator.must("policy", "add", workload, "--source", "https://example.org/code")
    listed = operator.must("policy", "list")
    assert workload in listed
    assert "https://example.org/code" in listed
    operator.must("policy", "remove", workload)
    assert workload not in operator.must("policy", "list")


def test_policy_script_refuses_a_workload_without_a_source(operator: Operator) -> None:
    assert "--source" in operator.refused("policy", "add", "0x" + "ab" * 32)


def test_policy_script_says_in_words_what_the_contract_refuses(operator: Operator) -> None:
    said = operator.refused("policy", "remove", "0x" + "77" * 32)
    assert "WorkloadNotTrusted" in said
    assert "Traceback" not in said


def test_policy_script_denies_and_lifts(operator: Operator) -> None:
    platform, family = "00112233445566778899aabbccddeeff", "de7e10000000"
    operator.must("policy", "deny-platform", "tdx", platform)
    operator.must("policy", "deny-family", "tdx", family)
    listed = operator.must("policy", "list")
    assert f"denied: platform {platform}  tdx" in listed
    assert f"denied: family {family}  tdx" in listed
    operator.must("policy", "allow-platform", "tdx", platform)
    operator.must("policy", "allow-family", "tdx", family)
    assert "denied" not in operator.must("policy", "list")
    assert "16 bytes" in operator.refused("policy", "deny-platform", "tdx", platform[2:])


def test_policy_script_raises_a_floor_as_its_keeper_alone(operator: Operator, every: Path) -> None:
    where = ("--deployment", str(every))
    tcb = Tcb(boot_loader=200, tee=1, snp=200, microcode=255)
    raised = ("policy", "raise-floor", "Milan", "200,1,200,255", *where)
    floor = int.from_bytes(tcb.encode(ProductLine.MILAN), "little")
    said = operator.must(*raised, "--calldata")
    assert f"{int(ProductLine.MILAN):064x}{floor:064x}" in said
    assert Deployment.load(every).address("SevSnpVerifier") in said
    # This deployment has no keeper: its floors stand for ever.
    assert "NotFloorKeeper" in operator.refused(*raised)
    assert "no FMC" in operator.refused("policy", "raise-floor", "Milan", "1,2,3,4,5", *where)


def test_policy_script_makes_and_withdraws_an_exception(operator: Operator) -> None:
    workload, advisories = "0x" + "cd" * 32, "0x" + "ef" * 24 + "00" * 8
    operator.must("policy", "add", workload, "--source", "https://example.org/code")
    exception = (workload, "SWHardeningNeeded", "--advisories", advisories)
    operator.must("policy", "allow-status", *exception, "--days", "30")
    listed = operator.must("policy", "list")
    assert f"exception: {workload}  SWHardeningNeeded  advisories {advisories}  until" in listed
    operator.must("policy", "withdraw-status", *exception)
    assert "exception" not in operator.must("policy", "list")
    for refused in (
        (workload, "Revoked", "--advisories", "any", "--days", "1"),
        (workload, "OutOfDate", "--advisories", "any", "--days", "91"),
        (workload, "OutOfDate", "--advisories", "0x" + "00" * 32, "--days", "1"),
    ):
        operator.refused("policy", "allow-status", *refused)


def test_calldata_is_printed_for_an_owner_without_an_account(operator: Operator) -> None:
    chain = Chain(operator.url)
    block = chain.block().number
    policy = Deployment.load(operator.deployment).address("EnclavePolicy")
    said = operator.must("policy", "remove", "0x" + "ab" * 32, "--calldata")
    assert said == f"to:   {policy}\ndata: 0x0e14de5f{'ab' * 32}\n"
    assert chain.block().number == block


# --- the lock -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def locked(operator: Operator, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The deployment file of a second deployment, whose additions wait two hours."""
    folder = tmp_path_factory.mktemp("locked")
    path = str(folder / "locked.json")
    parameters = altered(
        folder,
        salt="locked",
        addition_delay="7200",
        guardians='["0x70997970C51812dc3A010C7d01b50e0d17dc79C8"]',
    )
    said = operator.must("deploy", "--parameters", parameters, "--output", path)
    assert "has yet to add a guardian" in said
    return path


def test_under_a_lock_an_addition_is_announced_and_executed_in_its_time(
    operator: Operator, undone: Chain, locked: str
) -> None:
    workload, where = "0x" + "ab" * 32, ("--deployment", locked)
    said = operator.must("policy", "add", workload, "--source", "https://example.org", *where)
    assert "announced" in said
    assert "2.0 hours" in said
    assert "no workload" in operator.must("policy", "list", *where)
    pending = operator.must("policy", "pending", *where)
    assert f"addWorkload(id {workload}, level 4, source https://example.org" in pending
    identifier = pending.split()[0]
    assert "AdditionNotYetExecutable" in operator.refused("policy", "execute", identifier, *where)
    assert pending.split()[0] in operator.must("status", *where)
    forward(undone, 7200)
    assert "NOW" in operator.must("policy", "pending", *where)
    assert "made: addWorkload" in operator.must("policy", "execute", identifier, *where)
    assert workload in operator.must("policy", "list", *where)
    assert "nothing is announced" in operator.must("policy", "pending", *where)
    assert "nothing is announced" in operator.refused("policy", "execute", identifier, *where)


def test_an_announcement_is_cancelled_and_one_that_lapsed_is_refused(
    operator: Operator, undone: Chain, locked: str
) -> None:
    where = ("--deployment", locked)
    operator.must("policy", "add-guardian", AUTHORITY, *where)
    identifier = operator.must("policy", "pending", *where).split()[0]
    operator.must("policy", "cancel", identifier, *where)
    assert "nothing is announced" in operator.must("policy", "pending", *where)
    operator.must("policy", "add-guardian", AUTHORITY, *where)
    forward(undone, 7200 + 14 * 24 * 3600)
    assert "LAPSED" in operator.must("policy", "pending", *where)
    assert "lapsed" in operator.refused("policy", "execute", identifier, *where)


def test_what_calldata_printed_is_scheduled_elsewhere(
    operator: Operator, undone: Chain, locked: str
) -> None:
    where = ("--deployment", locked)
    said = operator.must("policy", "add-guardian", AUTHORITY, "--calldata", *where)
    data = bytes.fromhex(said.split("data: 0x")[1])
    assert data[:4].hex() == "14984b74"  # scheduleAddition(bytes)
    inner = data[68 : 68 + int.from_bytes(data[36:68])]
    for call in (data, inner):
        announced = operator.must("policy", "schedule", "0x" + call.hex(), *where)
        assert f"addGuardian(guardian {AUTHORITY})" in announced
        operator.must("policy", "cancel", announced.split()[1], *where)
    cut = operator.refused("policy", "schedule", "0x" + data[:60].hex(), *where)
    assert "not a call of scheduleAddition" in cut
    assert "AdditionsNotLocked" in operator.refused("policy", "schedule", "0x" + inner.hex())
    assert "AdditionNotSchedulable" in operator.refused("policy", "schedule", "0x8456cb59", *where)


# --- registry -------------------------------------------------------------------------------------


def test_registry_script_pauses_and_resumes(operator: Operator, undone: Chain) -> None:
    operator.must("registry", "pause")
    assert "YES" in operator.must("status")
    operator.must("registry", "unpause")
    assert "YES" not in operator.must("status")


def test_registry_script_revokes_an_authority_for_good(operator: Operator, undone: Chain) -> None:
    assert "revoked for ever" in operator.must("registry", "revoke-enclave", AUTHORITY)
    assert "EnclaveRevoked" in operator.refused("registry", "revoke-enclave", AUTHORITY)
    assert "not an address" in operator.refused("registry", "revoke-enclave", "0x12")


# --- collateral -----------------------------------------------------------------------------------


def test_collateral_script_submits_once_and_shows_what_is_held(operator: Operator) -> None:
    first = operator.must("collateral", "submit", "--development")
    assert "gas" in first
    shown = operator.must("collateral", "show")
    for what in ("TCB info", "QE identity", "PCK CA certificate", "days left", "DEVELOPMENT root"):
        assert what in shown


def test_collateral_watch_ends_as_the_clients_does(
    operator: Operator, undone: Chain, tmp_path: Path
) -> None:
    operator.must("collateral", "submit", "--development")
    assert operator.run("collateral", "watch", "--within", "1h").code == 0
    assert operator.run("collateral", "watch", "--within", "365d").code == 4
    where = Deployment.load(operator.deployment)
    for address in (AUTHORITY, where.address("EnclavePolicy")):  # no contract; another one
        path = rewritten(operator.deployment, tmp_path, contracts={"DcapVerifier": address})
        with pytest.raises(XmtpTeeError) as refused:
            CollateralSync(undone, Deployment.load(Path(path))).holdings()
        answer = operator.run("collateral", "watch", "--deployment", path)
        assert answer.code == int(refused.value.exit_code), answer.output
    forward(undone, 365 * 24 * 3600)
    assert operator.run("collateral", "watch").code == int(ExitCode.UNAVAILABLE)


@pytest.mark.parametrize(
    "words", [("policy", "list"), ("policy", "pending"), ("policy", "guardians"), ("status",)]
)
def test_a_deployment_file_that_is_none_is_refused_in_words(
    operator: Operator, tmp_path: Path, words: tuple[str, ...]
) -> None:
    said = operator.refused(*words, "--deployment", str(tmp_path / "none.json"))
    assert "there is no such deployment file" in said


# --- helpers --------------------------------------------------------------------------------------


@pytest.fixture
def undone(operator: Operator) -> Iterator[Chain]:
    """The operator's chain; what a test does to it is undone."""
    chain = Chain(operator.url)
    snapshot = chain.request("evm_snapshot")
    yield chain
    chain.request("evm_revert", snapshot)


def rewritten(path: Path, folder: Path, **changes: object) -> str:
    """The deployment file with other values, in a file of its own; None leaves one out."""
    data = json.loads(path.read_text())
    for name, value in changes.items():
        merged = {**data[name], **value} if isinstance(value, dict) else value
        data[name] = merged
        if isinstance(merged, dict):
            data[name] = {key: each for key, each in merged.items() if each is not None}
    copy = folder / "rewritten.json"
    copy.write_text(json.dumps(data))
    return str(copy)


def altered(folder: Path, **changes: str) -> str:
    """The development parameters with other values, in a file of their own."""
    from scripts._parameters import PARAMETERS

    lines = (PARAMETERS / "development.yaml").read_text().splitlines()
    for field, value in changes.items():
        index = next(i for i, line in enumerate(lines) if line.startswith(f"{field}:"))
        lines[index] = f"{field}: {value}"
    path = folder / "altered.yaml"
    path.write_text("\n".join(lines))
    return str(path)


def forward(chain: Chain, seconds: int) -> None:
    chain.request("evm_increaseTime", seconds)
    chain.request("evm_mine")
