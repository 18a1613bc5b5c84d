// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AssuranceLevel} from "../../../contracts/interfaces/AttestationTypes.sol";
import {Enclave, IEnclaveRegistry} from "../../../contracts/interfaces/IEnclaveRegistry.sol";
import {
    IKeyRegistry,
    KeyBundle,
    KeyState,
    PublishedKey,
    Standing
} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {Checked} from "../registry/Vm.sol";
import {KeyRegistryHandler} from "./KeyRegistryHandler.sol";
import {KeyRegistryModel} from "./KeyRegistryModel.sol";

/// @dev docs/SPECIFICATION.md, Invariants: I1 to I10 as far as they concern both registries. The handler compares each
/// act, and what it touched, with the model; here all views are compared with it.
contract KeyRegistryInvariantsTest is Checked {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    KeyRegistryHandler private handler;
    IKeyRegistry private registry;
    IEnclaveRegistry private enclaves;

    function setUp() public {
        handler = KeyRegistryHandler(create("KeyRegistryHandler.sol:KeyRegistryHandler", ""));
        registry = handler.keyRegistry();
        enclaves = handler.enclaveRegistry();
    }

    /// @dev Registrations and rotations are the most frequent acts.
    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        bytes4[] memory selectors = new bytes4[](24);
        selectors[0] = KeyRegistryHandler.registers.selector;
        selectors[1] = KeyRegistryHandler.registers.selector;
        selectors[2] = KeyRegistryHandler.registers.selector;
        selectors[3] = KeyRegistryHandler.registers.selector;
        selectors[4] = KeyRegistryHandler.rotates.selector;
        selectors[5] = KeyRegistryHandler.rotates.selector;
        selectors[6] = KeyRegistryHandler.rotates.selector;
        selectors[7] = KeyRegistryHandler.revokes.selector;
        selectors[8] = KeyRegistryHandler.revokes.selector;
        selectors[9] = KeyRegistryHandler.registersMany.selector;
        selectors[10] = KeyRegistryHandler.cancels.selector;
        selectors[11] = KeyRegistryHandler.transfers.selector;
        selectors[12] = KeyRegistryHandler.steals.selector;
        selectors[13] = KeyRegistryHandler.steals.selector;
        selectors[14] = KeyRegistryHandler.replays.selector;
        selectors[15] = KeyRegistryHandler.attests.selector;
        selectors[16] = KeyRegistryHandler.invalidates.selector;
        selectors[17] = KeyRegistryHandler.ends.selector;
        selectors[18] = KeyRegistryHandler.changesPolicy.selector;
        selectors[19] = KeyRegistryHandler.changesCollateral.selector;
        selectors[20] = KeyRegistryHandler.denies.selector;
        selectors[21] = KeyRegistryHandler.excepts.selector;
        selectors[22] = KeyRegistryHandler.pauses.selector;
        selectors[23] = KeyRegistryHandler.passes.selector;
        targets[0] = FuzzSelector(address(handler), selectors);
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev One campaign for all of them: they concern the same acts. The handler itself never reverts.
    /// forge-config: default.invariant.fail-on-revert = true
    /// forge-config: ci.invariant.fail-on-revert = true
    /// forge-config: proof.invariant.fail-on-revert = true
    function invariant_the_registries_are_what_the_model_says() external {
        checkAll();
    }

    /// @dev A handler whose acts never succeed would prove nothing. Each manner takes the way that its comment names.
    function test_the_handler_reaches_every_transition() external {
        uint256 before = handler.successes();
        handler.registers(0, 0, 0, 1, 1 days + 1, 0); // an account's own transaction
        handler.registers(1, 0, 0, 1, 1 days + 1, 32 + 2); // an account's signature
        handler.registers(3, 0, 0, 1, 1 days + 1, 32 + 2); // a wallet's signature
        handler.registers(4, 0, 0, 1, 1 days + 1, 0); // an agent's holder
        handler.registers(5, 0, 0, 1, 1 days + 1, 2); // an agent's operator
        handler.registersMany(3, 0, 0x20202020, 3 days); // four signatures at once
        handler.passes(1 hours, 1);
        for (uint8 i = 0; i < 5; ++i) {
            // The bundles in the order of their registration.
            handler.rotates(0, i, 0, 1, 2 days, i == 0 ? 0 : 34);
        }
        handler.replays(0, 0);
        handler.replays(0, 1);
        handler.steals(0, 1, 0, 0);
        handler.transfers(0, 2);
        handler.cancels(0);
        assertSame(handler.successes() - before, 12, "five registrations, a batch, five rotations, a cancellation");
        for (uint8 i = 0; i < 5; ++i) {
            handler.revokes(0, i, i == 0 ? 0 : 34);
        }
        handler.changesCollateral(1);
        handler.invalidates(0);
        handler.changesCollateral(2);
        handler.attests(0, 0, 1);
        handler.excepts(1 days, 0);
        handler.excepts(1 days, 1);
        handler.denies(0);
        handler.invalidates(1);
        handler.denies(0);
        handler.ends(0, 0);
        handler.ends(1, 8);
        handler.changesPolicy(0);
        handler.pauses(1);
        handler.pauses(0);
        assertSame(handler.successes() - before, 12 + 5 + 2 + 2 + 1 + 3 + 4 + 3, "each act but those on time");
        checkAll();
    }

    function checkAll() private {
        handler.sync();
        assertSame(bytes(handler.violation()), "", handler.violation());
        viewsShowWhatTheEventsSay();
        trustIsWhatTheModelJudgesNow();
        recordedEnclavesAreWhatTheEventsSay();
    }

    /// @dev I8: the events alone rebuild what the views show.
    function viewsShowWhatTheEventsSay() private view {
        KeyRegistryModel.Pair[] memory pairs = handler.pairs();
        uint256 activeInAll;
        for (uint256 i = 0; i < pairs.length; ++i) {
            (address owner, bytes32 identityKey) = (pairs[i].owner, pairs[i].identityKey);
            KeyRegistryModel.ModelBundle memory model = handler.modelBundle(owner, identityKey);
            KeyBundle memory expected = KeyBundle({
                identityKey: identityKey,
                preKey: model.preKey,
                authority: model.authority,
                epoch: model.epoch,
                expiresAt: model.expiresAt,
                provenance: model.provenance,
                state: model.state
            });
            assertSame(abi.encode(registry.getKeyBundle(owner, identityKey)), abi.encode(expected), "I8: the bundle");
            assertThat(registry.keyState(owner, identityKey) == model.state, "I8: the state");
            if (model.state == KeyState.ACTIVE) ++activeInAll;
        }
        uint256 listed;
        for (uint256 i = 0; i < handler.OWNERS(); ++i) {
            listed += listedOf(handler.ownerOf(i));
        }
        assertSame(listed, activeInAll, "all active ones are listed");
    }

    function listedOf(address owner) private view returns (uint256) {
        KeyBundle[] memory bundles = registry.getKeyBundles(owner);
        assertSame(bundles.length, handler.active(owner), "I8: the list");
        assertThat(bundles.length <= 10, "at most ten");
        for (uint256 j = 0; j < bundles.length; ++j) {
            assertThat(bundles[j].state == KeyState.ACTIVE, "only active ones are listed");
            for (uint256 k = 0; k < j; ++k) {
                assertThat(bundles[j].identityKey != bundles[k].identityKey, "listed once");
            }
        }
        KeyBundle memory first;
        if (bundles.length != 0) first = bundles[0];
        assertSame(abi.encode(registry.getKeyBundle(owner)), abi.encode(first), "the first of them");
        assertSame(registry.lastChange(owner), handler.lastChange(owner), "I8: the last change");
        assertSame(registry.nonces(owner), handler.nonces(owner), "I5: the nonce");
        IKeyRegistry neighbour = handler.keyNeighbour();
        assertSame(neighbour.lastChange(owner) + neighbour.nonces(owner), 0, "I5: nothing beside");
        return bundles.length;
    }

    /// @dev I4: trusted now means attested, not ended, not expired, workload and status accepted now.
    function trustIsWhatTheModelJudgesNow() private view {
        for (uint256 i = 0; i < handler.ENCLAVES(); ++i) {
            address authority = handler.authorityOf(i);
            (bool trusted, bytes4 reason) = enclaves.standing(authority);
            assertSame(reason, handler.expectedReason(authority), "I4: the enclave");
            assertThat(trusted == (reason == 0), "a reason exactly when not trusted");
        }
        address[] memory owners = new address[](handler.OWNERS());
        for (uint256 i = 0; i < owners.length; ++i) {
            owners[i] = handler.ownerOf(i);
        }
        PublishedKey[][] memory keys = registry.lookupKeys(owners);
        for (uint256 i = 0; i < owners.length; ++i) {
            assertSame(keys[i].length, handler.active(owners[i]), "I8: the look-up");
            for (uint256 j = 0; j < keys[i].length; ++j) {
                PublishedKey memory key = keys[i][j];
                (Standing expected, bytes4 reason) = handler.expectedStanding(owners[i], key.bundle.identityKey);
                assertSame(uint256(key.standing), uint256(expected), "I4: the bundle");
                assertSame(key.enclaveReason, reason, "I4: the bundle's reason");
                bool claims = expected >= Standing.PRE_KEY_EXPIRED;
                assertThat(claims == (key.assurance == AssuranceLevel.MEMBER), "I4: the assurance");
            }
        }
    }

    /// @dev I3: each recorded enclave's binding can be computed again from the record and the log.
    function recordedEnclavesAreWhatTheEventsSay() private view {
        for (uint256 i = 0; i < handler.ENCLAVES(); ++i) {
            address authority = handler.authorityOf(i);
            KeyRegistryModel.ModelEnclave memory model = handler.modelEnclave(authority);
            Enclave memory record = enclaves.enclave(authority);
            assertSame(record.blockNumber, model.blockNumber, "block");
            assertSame(record.expiresAt, model.expiresAt, "expiry");
            assertSame(record.workload, model.workload, "workload");
            assertThat(record.state == model.state, "state");
            bytes32 expected = keccak256(
                abi.encode(
                    keccak256(
                        "EnclaveBinding(uint256 chainId,address enclaveRegistry,address authority,bytes32 transportKey,uint256 blockNumber,bytes32 blockHash)"
                    ),
                    block.chainid,
                    address(enclaves),
                    authority,
                    model.transportKey,
                    uint256(model.blockNumber),
                    handler.blockHash(model.blockNumber)
                )
            );
            bytes32 blockHash = handler.blockHash(record.blockNumber);
            assertSame(
                enclaves.bindingDigest(authority, model.transportKey, record.blockNumber, blockHash),
                expected,
                "I3: the binding"
            );
        }
    }
}
