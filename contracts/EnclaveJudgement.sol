// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {TcbStatus, TeeKind} from "./interfaces/AttestationTypes.sol";
import {IAttestationVerifier} from "./interfaces/IAttestationVerifier.sol";
import {IEnclavePolicy} from "./interfaces/IEnclavePolicy.sol";
import {IEnclaveRegistry} from "./interfaces/IEnclaveRegistry.sol";

/// @title EnclaveJudgement
/// @notice The two questions behind an enclave's standing: how is its platform, and does the policy accept that?
/// @dev Written by hand because a verifier's revert must become a reason, and because what the verifier answers is, as
/// it stands in memory, what the policy is asked.
library EnclaveJudgement {
    /// @dev Asks a verifier, then the policy. Each revert of the verifier becomes a reason. Four words of its answer are
    /// copied, however long that is, and none is believed in which a bit stands where the types have no room for it. A
    /// revert of the policy is passed on.
    /// @param verifier The verifier of the platform's kind.
    /// @param platform That verifier's handle.
    /// @param policy The policy.
    /// @param workload The workload id.
    /// @param tee The kind of environment.
    /// @return reason Zero when acceptable, else the policy's reason or, without a judgement, the verifier's.
    /// @return judged Whether the verifier gave a judgement and the policy answered to it.
    function ask(address verifier, bytes20 platform, IEnclavePolicy policy, bytes32 workload, TeeKind tee)
        internal
        view
        returns (bytes4 reason, bool judged)
    {
        bytes4 selector = IAttestationVerifier.judgePlatform.selector;
        bytes4 policySelector = IEnclavePolicy.refusal.selector;
        bytes4 notJudged = IEnclaveRegistry.PlatformNotJudged.selector;
        uint256 greatestStatus = uint256(type(TcbStatus).max);
        assembly ("memory-safe") {
            // Behind the free memory: the policy's selector, workload and kind, then the verifier's answer.
            let question := mload(0x40)
            let answer := add(question, 0x44)
            mstore(0x00, selector)
            mstore(0x04, platform)
            let answered := staticcall(gas(), verifier, 0x00, 0x24, answer, 0x80)
            let size := returndatasize()
            let status := mload(answer)
            switch answered
            case 0 { if gt(size, 3) { reason := and(status, shl(224, 0xffffffff)) } }
            default {
                let excess := or(shl(128, mload(add(answer, 0x40))), shl(128, mload(add(answer, 0x60))))
                // A status of zero wraps around and is too great as well.
                judged := and(gt(size, 0x7f), and(iszero(excess), lt(sub(status, 1), greatestStatus)))
            }
            switch judged
            case 0 { if iszero(reason) { reason := notJudged } }
            default {
                mstore(question, policySelector)
                mstore(add(question, 0x04), workload)
                mstore(add(question, 0x24), tee)
                answered := staticcall(gas(), policy, question, 0xc4, 0x00, 0x20)
                if iszero(and(answered, gt(returndatasize(), 0x1f))) {
                    returndatacopy(question, 0, returndatasize())
                    revert(question, returndatasize())
                }
                reason := and(mload(0x00), shl(224, 0xffffffff))
            }
        }
    }
}
