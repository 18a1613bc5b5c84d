// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {TeeKind} from "../../../contracts/interfaces/AttestationTypes.sol";
import {Enclave, EnclaveState, IEnclaveRegistry} from "../../../contracts/interfaces/IEnclaveRegistry.sol";
import {Checked} from "../registry/Vm.sol";
import {EnclaveRegistryHandler} from "./EnclaveRegistryHandler.sol";

/// @dev docs/SPECIFICATION.md, EnclaveRegistry, state: each act is compared with the model in the handler, the views
/// are compared with the model here.
contract EnclaveRegistryInvariantsTest is Checked {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    EnclaveRegistryHandler private handler;
    IEnclaveRegistry private enclaves;

    function setUp() public {
        handler = EnclaveRegistryHandler(create("EnclaveRegistryHandler.sol:EnclaveRegistryHandler", ""));
        enclaves = handler.enclaveRegistry();
        handler.attests(0, 0, 0);
        handler.attests(1, 0, 0);
        handler.attests(1, 1, 0);
    }

    /// @dev Endings are rare: what has ended acts no more.
    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        bytes4[] memory selectors = new bytes4[](12);
        selectors[0] = EnclaveRegistryHandler.attests.selector;
        selectors[1] = EnclaveRegistryHandler.attests.selector;
        selectors[2] = EnclaveRegistryHandler.attests.selector;
        selectors[3] = EnclaveRegistryHandler.invalidates.selector;
        selectors[4] = EnclaveRegistryHandler.invalidates.selector;
        selectors[5] = EnclaveRegistryHandler.retires.selector;
        selectors[6] = EnclaveRegistryHandler.revokes.selector;
        selectors[7] = EnclaveRegistryHandler.changesPolicy.selector;
        selectors[8] = EnclaveRegistryHandler.changesCollateral.selector;
        selectors[9] = EnclaveRegistryHandler.passes.selector;
        selectors[10] = EnclaveRegistryHandler.demands.selector;
        selectors[11] = EnclaveRegistryHandler.forges.selector;
        targets[0] = FuzzSelector(address(handler), selectors);
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function invariant_the_registry_is_what_the_model_says() external {
        handler.sync();
        viewsAreWhatTheModelSays();
    }

    /// @dev A handler whose acts never succeed would prove nothing.
    function test_the_handler_reaches_every_transition() external {
        uint256 before = handler.successes();
        handler.attests(2, 0, 3);
        handler.passes(1 hours, 1);
        handler.attests(2, 0, 0);
        handler.changesCollateral(1, 0);
        handler.invalidates(2);
        handler.changesCollateral(0, 0);
        handler.passes(1 hours, 1);
        handler.attests(2, 0, 0);
        handler.attests(2, 1, 0);
        handler.changesCollateral(1, 1);
        handler.invalidates(2);
        handler.demands(2);
        assertSame(
            handler.expectedReason(handler.authorityOf(2)), IEnclaveRegistry.TooFewTeeKinds.selector, "one stands"
        );
        viewsAreWhatTheModelSays();
        handler.changesCollateral(0, 1);
        handler.passes(1 hours, 1);
        handler.attests(2, 1, 0);
        assertSame(handler.expectedReason(handler.authorityOf(2)), 0, "two stand");
        viewsAreWhatTheModelSays();
        handler.changesPolicy(0);
        handler.invalidates(0);
        handler.changesPolicy(0);
        handler.forges(0, 1); // refused
        handler.retires(0, 0, 0);
        handler.retires(3, 3, 0);
        handler.revokes(1, 0);
        handler.attests(0, 0, 0); // refused
        handler.attests(1, 2, 0); // refused
        handler.revokes(0, 0); // refused
        handler.retires(2, 1, 3); // refused
        assertSame(handler.successes() - before, 11, "each act that must succeed");
        viewsAreWhatTheModelSays();
    }

    function viewsAreWhatTheModelSays() private view {
        assertSame(bytes(handler.violation()), "", handler.violation());
        for (uint256 i = 0; i < handler.ENCLAVES(); ++i) {
            address authority = handler.authorityOf(i);
            for (uint256 k = 0; k < 3; ++k) {
                kindIsWhatTheModelSays(authority, handler.kindOf(k));
            }
            Enclave memory record = enclaves.enclave(authority);
            assertThat(record.tee == handler.firstKind(authority), "the first kind");
            (bool trusted, bytes4 reason) = enclaves.standing(authority);
            assertSame(reason, handler.expectedReason(authority), "the reason");
            assertThat(trusted == (reason == 0), "a reason exactly when not trusted");
            if (trusted) assertThat(record.state == EnclaveState.ATTESTED, "only the attested are trusted");
        }
    }

    function kindIsWhatTheModelSays(address authority, TeeKind kind) private view {
        EnclaveRegistryHandler.ModelEnclave memory model = handler.modelEnclave(authority, kind);
        (Enclave memory record, bytes4 reason) = enclaves.attestation(authority, kind);
        assertThat(record.state == model.state, "the state");
        assertSame(record.blockNumber, model.blockNumber, "the block");
        assertSame(record.expiresAt, model.expiresAt, "the expiry");
        assertSame(reason, handler.reasonOf(authority, kind), "the kind's reason");
    }
}
