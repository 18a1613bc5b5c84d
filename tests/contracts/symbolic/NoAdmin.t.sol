// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEnclaveRegistry} from "../../../contracts/interfaces/IEnclaveRegistry.sol";
import {IKeyRegistry} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {SymbolicFixture} from "./Symbolic.sol";

/// @title NoAdminSymbolicTest
/// @notice No admin can touch a key: I6 of docs/SPECIFICATION.md. `make symbolic` runs it.
/// @dev The sender is anybody but the owner of the watched key, so the policy's owner and its guardian are among them.
/// Neither word of the key may change, not even by a bit.
///
/// Symbolic are: every storage word of KeyRegistry and EnclaveRegistry, the sender, the watched key, all arguments, the
/// time, the block's number. For EnclavePolicy halmos makes the calls from its compiled ABI, so a new function is checked
/// without a word here.
///
/// Concrete are: the policy's storage, with an owner, a guardian and a workload; the length of bytes and strings (32, 64,
/// 65 or 96); the owner of the key, except in the check of the pause.
///
/// NOT shown: {EnclaveRegistry.attest}, because halmos 0.3.3 cannot execute BLOCKHASH; it makes no call but to the
/// verifier and the policy. KeyRegistry's other functions are in KeyTransitions, as far as its header says that they are
/// checked; the sender is anybody there too.
contract NoAdminSymbolicTest is SymbolicFixture {
    bytes32 private watchedKey;
    address private owner;
    address private sender;

    function setUp() public override {
        super.setUp();
        owner = address(0x0117e2);
        _forget();
        watchedKey = svm.createBytes32("watched_key");
        sender = svm.createAddress("sender");
        vm.assume(sender != owner);
    }

    function check_no_end_of_an_enclave_touches_a_key() external {
        address authority = svm.createAddress("authority");
        uint256 which = svm.createUint(2, "which");
        bytes memory call_ = abi.encodeCall(IEnclaveRegistry.revoke, (authority));
        if (which == 1) call_ = abi.encodeCall(IEnclaveRegistry.invalidate, (authority));
        if (which == 2) call_ = abi.encodeCall(IEnclaveRegistry.retire, (authority, svm.createBytes(65, "signature")));
        _check(address(enclaves), call_);
    }

    function check_no_function_of_EnclavePolicy_touches_a_key() external {
        _check(address(policy), svm.createCalldata("EnclavePolicy"));
    }

    function check_a_pause_touches_no_key_of_anybody() external {
        address anybody = svm.createAddress("anybody");
        Stored memory old = _stored(anybody, watchedKey);
        bytes4 selector = svm.createBool("pause") ? IKeyRegistry.pause.selector : IKeyRegistry.unpause.selector;
        vm.prank(sender);
        (bool done,) = address(registry).call(abi.encodePacked(selector));
        if (!done) return;
        _requireUnchanged(old, _stored(anybody, watchedKey));
    }

    function _check(address target, bytes memory call_) private {
        Stored memory old = _stored(owner, watchedKey);
        vm.prank(sender);
        (bool done,) = target.call(call_);
        if (!done) return;
        _requireUnchanged(old, _stored(owner, watchedKey));
    }

    function _requireUnchanged(Stored memory old, Stored memory now_) private pure {
        assert(_all(_eq(old.preKey, now_.preKey), _eq(old.word, now_.word)));
    }
}
