// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Enclave, EnclaveState, IEnclaveRegistry} from "../../../contracts/interfaces/IEnclaveRegistry.sol";
import {IKeyRegistry, KeyBundle, KeyState, Standing} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {Checked} from "../registry/Vm.sol";
import {KeyRegistryHandler} from "./KeyRegistryHandler.sol";

/// @dev docs/SPECIFICATION.md, Invariants: I1 to I10 as far as they concern both registries. Each act is
/// compared with the model in the handler; the views are compared with the model here.
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
        for (uint8 i = 0; i < handler.ENCLAVES(); ++i) {
            handler.attests(i, 0, i);
        }
    }

    /// @dev Registrations and rotations are the most frequent acts.
    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        bytes4[] memory selectors = new bytes4[](15);
        selectors[0] = KeyRegistryHandler.registers.selector;
        selectors[1] = KeyRegistryHandler.registers.selector;
        selectors[2] = KeyRegistryHandler.registers.selector;
        selectors[3] = KeyRegistryHandler.rotates.selector;
        selectors[4] = KeyRegistryHandler.rotates.selector;
        selectors[5] = KeyRegistryHandler.revokes.selector;
        selectors[6] = KeyRegistryHandler.steals.selector;
        selectors[7] = KeyRegistryHandler.attests.selector;
        selectors[8] = KeyRegistryHandler.invalidates.selector;
        selectors[9] = KeyRegistryHandler.changesPolicy.selector;
        selectors[10] = KeyRegistryHandler.changesCollateral.selector;
        selectors[11] = KeyRegistryHandler.pauses.selector;
        selectors[12] = KeyRegistryHandler.passes.selector;
        selectors[13] = KeyRegistryHandler.denies.selector;
        selectors[14] = KeyRegistryHandler.excepts.selector;
        targets[0] = FuzzSelector(address(handler), selectors);
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev One campaign for all of them: they concern the same acts.
    /// forge-config: default.invariant.depth = 128
    function invariant_the_registries_are_what_the_model_says() external {
        handler.sync();
        everyActDidWhatTheModelSays();
        viewsShowWhatTheEventsSay();
        trustIsWhatTheModelJudgesNow();
        recordedEnclavesAreWhatTheEventsSay();
    }

    /// @dev A handler whose acts never succeed would prove nothing.
    function test_the_handler_reaches_every_transition() external {
        uint256 before = handler.successes();
        handler.registers(0, 0, 0, 1, 1 days + 1);
        handler.passes(1 hours, 1);
        handler.rotates(0, 0, 0, 1, 2 days);
        handler.revokes(0, 0);
        handler.changesCollateral(1);
        handler.invalidates(0);
        handler.changesCollateral(2);
        handler.attests(0, 0, 1);
        handler.excepts(1 days, 0);
        handler.excepts(1 days, 1);
        handler.denies(0);
        handler.invalidates(1);
        handler.changesPolicy(0);
        handler.pauses(0);
        assertSame(handler.successes() - before, 12, "each act but those on collateral and time");
        everyActDidWhatTheModelSays();
        viewsShowWhatTheEventsSay();
        trustIsWhatTheModelJudgesNow();
        recordedEnclavesAreWhatTheEventsSay();
    }

    /// @dev I1, I2, I3, I6, I7, I9, I10, and that each act succeeds exactly when the model says so.
    function everyActDidWhatTheModelSays() private view {
        assertSame(bytes(handler.violation()), "", handler.violation());
    }

    /// @dev I8: the events alone rebuild what the views show.
    function viewsShowWhatTheEventsSay() private view {
        KeyRegistryHandler.Pair[] memory pairs = handler.pairs();
        uint256 activeInAll;
        for (uint256 i = 0; i < pairs.length; ++i) {
            (address owner, bytes32 identityKey) = (pairs[i].owner, pairs[i].identityKey);
            KeyRegistryHandler.ModelBundle memory model = handler.modelBundle(owner, identityKey);
            KeyBundle memory shown = registry.getKeyBundle(owner, identityKey);
            KeyBundle memory expected = KeyBundle({
                identityKey: identityKey,
                preKey: model.preKey,
                authority: model.authority,
                epoch: model.epoch,
                expiresAt: model.expiresAt,
                provenance: model.provenance,
                state: model.state
            });
            assertSame(abi.encode(shown), abi.encode(expected), "I8: the bundle");
            assertThat(registry.keyState(owner, identityKey) == model.state, "I8: the state");
            if (model.state == KeyState.ACTIVE) ++activeInAll;
        }
        uint256 listed;
        for (uint256 i = 0; i < handler.OWNERS(); ++i) {
            address owner = handler.ownerOf(i);
            KeyBundle[] memory bundles = registry.getKeyBundles(owner);
            assertSame(bundles.length, handler.active(owner), "I8: the list");
            assertThat(bundles.length <= 10, "at most ten");
            for (uint256 j = 0; j < bundles.length; ++j) {
                assertThat(bundles[j].state == KeyState.ACTIVE, "only active ones are listed");
                for (uint256 k = 0; k < j; ++k) {
                    assertThat(bundles[j].identityKey != bundles[k].identityKey, "listed once");
                }
            }
            listed += bundles.length;
        }
        assertSame(listed, activeInAll, "all active ones are listed");
    }

    /// @dev I4: trusted now means attested, not invalidated, not expired, workload and status accepted now.
    function trustIsWhatTheModelJudgesNow() private view {
        for (uint256 i = 0; i < handler.ENCLAVES(); ++i) {
            address authority = handler.authorityOf(i);
            (bool trusted, bytes4 reason) = enclaves.standing(authority);
            assertSame(reason, handler.expectedReason(authority), "I4: the enclave");
            assertThat(trusted == (reason == 0), "a reason exactly when not trusted");
        }
        KeyRegistryHandler.Pair[] memory pairs = handler.pairs();
        for (uint256 i = 0; i < pairs.length; ++i) {
            (address owner, bytes32 identityKey) = (pairs[i].owner, pairs[i].identityKey);
            KeyRegistryHandler.ModelBundle memory model = handler.modelBundle(owner, identityKey);
            bytes4 expectedReason = handler.expectedReason(model.authority);
            Standing expected = Standing.TRUSTED;
            if (time() >= model.expiresAt) expected = Standing.PRE_KEY_EXPIRED;
            if (expectedReason != 0) expected = Standing.ENCLAVE_NOT_TRUSTED;
            if (model.state == KeyState.REVOKED) (expected, expectedReason) = (Standing.REVOKED, bytes4(0));
            (Standing standing, bytes4 reason) = registry.isTrusted(owner, identityKey);
            assertSame(uint256(standing), uint256(expected), "I4: the bundle");
            assertSame(reason, expectedReason, "I4: the bundle's reason");
        }
    }

    /// @dev I3: each recorded enclave's binding can be computed again from the record and the log.
    function recordedEnclavesAreWhatTheEventsSay() private view {
        for (uint256 i = 0; i < handler.ENCLAVES(); ++i) {
            address authority = handler.authorityOf(i);
            KeyRegistryHandler.ModelEnclave memory model = handler.modelEnclave(authority);
            Enclave memory record = enclaves.enclave(authority);
            assertSame(record.blockNumber, model.blockNumber, "block");
            assertSame(record.expiresAt, model.expiresAt, "expiry");
            assertSame(record.workload, model.workload, "workload");
            EnclaveState expected = EnclaveState.NONE;
            if (model.attested) expected = EnclaveState.ATTESTED;
            if (model.invalidated) expected = EnclaveState.INVALIDATED;
            assertThat(record.state == expected, "state");
            assertSame(
                enclaves.bindingDigest(
                    authority, model.transportKey, record.blockNumber, handler.blockHash(record.blockNumber)
                ),
                keccak256(
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
                ),
                "I3: the binding"
            );
        }
    }
}
