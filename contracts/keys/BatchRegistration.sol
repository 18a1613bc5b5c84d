// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IKeyDelegation, Registration} from "../interfaces/IKeyDelegation.sol";
import {OwnerIntents} from "./OwnerIntents.sol";

/// @title BatchRegistration
/// @notice Bundles of many owners in one transaction; see {IKeyDelegation}.
/// @dev The enclave of the first entry is judged once, before all of them, which also pays for reaching what every
/// later judgement reads. An entry of that enclave needs no judgement of its own as long as that one must still hold:
/// the time is the same, and between entries nothing runs that could change what was judged, but for a factory
/// (ERC-6492) or evidence, either of which ends the shortcut.
abstract contract BatchRegistration is OwnerIntents {
    /// @dev What every entry must find at the start: a first registration by certificate needs less.
    uint256 private constant GAS_PER_ENTRY = 150_000;
    /// @dev What judging the first entry's enclave may cost besides.
    uint256 private constant GAS_PER_BATCH = 60_000;
    /// @dev What an entry needs outside of its call: its refusal's event, its place in the answer.
    uint256 private constant GAS_PER_REPORT = 12_000;
    uint256 private constant MAX_REASON = 256;
    /// @dev Of an entry's members in bytes, together. The longest evidence, a Nitro document with its whole chain, has
    /// 90,000. Encoding this many costs 40,000 gas, which an entry's least share has; the price grows with the square.
    uint256 private constant MAX_LENGTH = 96 * 1024;

    /// @inheritdoc IKeyDelegation
    // NOTE: open to everyone. Each entry is what its owner signed.
    function registerKeyBundles(Registration[] calldata registrations)
        external
        whenNotPaused
        returns (bool[] memory done)
    {
        uint256 count = registrations.length;
        uint256 needed = GAS_PER_BATCH + count * GAS_PER_ENTRY;
        if (gasleft() < needed) revert BatchGasTooLow(gasleft(), needed);
        done = new bool[](count);
        if (count != 0) _judgeOnce(registrations[0].attestationProof);
        for (uint256 i = 0; i < count; ++i) {
            Registration calldata entry = registrations[i];
            bytes memory reason;
            (done[i], reason) = _tryRegister(entry, gasleft() / (count - i) - GAS_PER_REPORT);
            if (!done[i]) {
                bytes32 identityKey = entry.identityKey.length == 32 ? bytes32(entry.identityKey) : bytes32(0);
                emit RegistrationRefused(i, entry.owner, identityKey, reason);
            }
        }
        _trustedInBatch = address(0);
    }

    /// @dev Remembers the enclave that a proof names if it is trusted now. A malformed proof is left to its entry.
    function _judgeOnce(bytes calldata proof) private {
        if (proof.length < 22) return;
        address authority = address(bytes20(proof[2:22]));
        (bool trusted,) = ENCLAVES.standing(authority);
        if (trusted) _trustedInBatch = authority;
    }

    /// @dev Calls this contract, so that what fails leaves nothing behind and spends no more than `gasShare`, the
    /// encoding of the call included. Copies at most {MAX_REASON} bytes of what comes back, and gives its memory back
    /// after a success.
    function _tryRegister(Registration calldata entry, uint256 gasShare)
        private
        returns (bool accepted, bytes memory reason)
    {
        uint256 length = entry.identityKey.length + entry.preKey.length + entry.preKeySignature.length
            + entry.attestationProof.length + entry.signature.length;
        if (length > MAX_LENGTH) {
            return (false, abi.encodeWithSelector(RegistrationTooLong.selector, length, MAX_LENGTH));
        }
        uint256 gasBefore = gasleft();
        uint256 free;
        assembly ("memory-safe") {
            free := mload(0x40)
        }
        bytes memory call_ = abi.encodeCall(
            IKeyDelegation.registerKeyBundleWithAttestationFor,
            (
                entry.owner,
                entry.identityKey,
                entry.preKey,
                entry.preKeySignature,
                entry.attestationProof,
                entry.deadline,
                entry.signature
            )
        );
        uint256 spent = gasBefore - gasleft();
        gasShare = gasShare > spent ? gasShare - spent : 0;
        assembly ("memory-safe") {
            accepted := call(gasShare, address(), 0, add(call_, 0x20), mload(call_), 0, 0)
            // The call's data is not needed any more: a reason takes its place.
            mstore(0x40, free)
            reason := 0x60 // the empty one
            if iszero(accepted) {
                let size := returndatasize()
                if gt(size, MAX_REASON) { size := MAX_REASON }
                reason := free
                mstore(reason, size)
                returndatacopy(add(reason, 0x20), 0, size)
                mstore(0x40, add(reason, add(0x20, MAX_REASON)))
            }
        }
    }
}
