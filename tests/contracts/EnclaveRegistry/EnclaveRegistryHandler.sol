// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AssuranceLevel, TcbStatus} from "../../../contracts/interfaces/AttestationTypes.sol";
import {IEnclavePolicy} from "../../../contracts/interfaces/IEnclavePolicy.sol";
import {EnclaveState, IEnclaveRegistry} from "../../../contracts/interfaces/IEnclaveRegistry.sol";
import {RegistryFixture} from "../registry/RegistryFixture.sol";
import {Vm} from "../registry/Vm.sol";

/// @title EnclaveRegistryHandler
/// @notice Enclaves, the policy's owner, strangers and time, acting in any order. Before each act the model says
/// whether it must succeed; afterwards the model learns from the events alone.
contract EnclaveRegistryHandler is RegistryFixture {
    struct ModelEnclave {
        EnclaveState state;
        uint64 blockNumber;
        uint64 expiresAt;
    }

    uint256 public constant ENCLAVES = 4;

    /// @dev What went wrong, the first time; empty as long as every invariant of a step held.
    string public violation;
    uint256 public successes;

    bool public workloadTrusted = true;
    TcbStatus public status = TcbStatus.UP_TO_DATE;

    mapping(address authority => ModelEnclave) internal _enclaves;
    uint256 private _time = START;
    uint256 private _head = START_BLOCK;

    constructor() {
        setUp();
    }

    // --- acts ------------------------------------------------------------------------------------------

    function attests(uint8 enclaveSeed, uint8 age) external {
        sync();
        address authority_ = authorityOf(enclaveSeed);
        uint64 blockNumber = uint64(head() - 1 - age % 120);
        vm.setBlockhash(blockNumber, hashOfBlock(blockNumber));
        bytes memory evidence = evidenceFor(authority_, blockNumber);
        ModelEnclave memory model = _enclaves[authority_];
        bool expected = head() - blockNumber <= MAX_BLOCK_AGE && workloadTrusted && !ended(model.state)
            && (model.state == EnclaveState.NONE || blockNumber > model.blockNumber);
        act(
            stranger,
            abi.encodeCall(IEnclaveRegistry.attest, (authority_, TRANSPORT_KEY, blockNumber, evidence)),
            expected,
            "attest"
        );
    }

    function invalidates(uint8 enclaveSeed) external {
        sync();
        address authority_ = authorityOf(enclaveSeed);
        bytes4 reason = expectedReason(authority_);
        bool expected = _enclaves[authority_].state == EnclaveState.ATTESTED && reason != 0;
        act(stranger, abi.encodeCall(IEnclaveRegistry.invalidate, (authority_)), expected, "invalidate");
    }

    /// @dev By its own signature, or by another enclave's, or by one for another enclave.
    function retires(uint8 enclaveSeed, uint8 signerSeed, uint8 overSeed) external {
        sync();
        address authority_ = authorityOf(enclaveSeed);
        if (overSeed % 2 == 0) (signerSeed, overSeed) = (enclaveSeed, enclaveSeed); // mostly rightly
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(authorityKeyOf(signerSeed), enclaves.retirementDigest(authorityOf(overSeed)));
        bool expected = authorityOf(signerSeed) == authority_ && authorityOf(overSeed) == authority_
            && !ended(_enclaves[authority_].state);
        act(
            stranger,
            abi.encodeCall(IEnclaveRegistry.retire, (authority_, abi.encodePacked(r, s, v))),
            expected,
            "retire"
        );
    }

    function revokes(uint8 enclaveSeed, uint8 senderSeed) external {
        sync();
        address authority_ = authorityOf(enclaveSeed);
        address sender = senderSeed % 2 == 0 ? admin : authority_;
        bool expected = sender == admin && !ended(_enclaves[authority_].state);
        act(sender, abi.encodeCall(IEnclaveRegistry.revoke, (authority_)), expected, "revoke");
    }

    function changesPolicy(uint8 seed) external {
        sync();
        if (seed % 4 != 0 && workloadTrusted) return;
        vm.startPrank(admin);
        if (workloadTrusted) policy.removeWorkload(WORKLOAD);
        else policy.addWorkload(WORKLOAD, AssuranceLevel.MEMBER, "again", bytes20(0));
        vm.stopPrank();
        workloadTrusted = !workloadTrusted;
    }

    function changesCollateral(uint8 seed) external {
        sync();
        status = seed % 4 == 1 ? TcbStatus.OUT_OF_DATE : TcbStatus.UP_TO_DATE;
        judged(status);
    }

    function passes(uint32 seconds_, uint8 blocks) external {
        _time += seconds_ % 10 days;
        _head += blocks % 40;
        sync();
    }

    // --- the model -------------------------------------------------------------------------------------

    function expectedReason(address authority_) public view returns (bytes4) {
        ModelEnclave memory model = _enclaves[authority_];
        if (model.state == EnclaveState.NONE) return IEnclaveRegistry.EnclaveUnknown.selector;
        if (model.state == EnclaveState.INVALIDATED) return IEnclaveRegistry.EnclaveInvalidated.selector;
        if (model.state == EnclaveState.RETIRED) return IEnclaveRegistry.EnclaveRetired.selector;
        if (model.state == EnclaveState.REVOKED) return IEnclaveRegistry.EnclaveRevoked.selector;
        if (_time >= model.expiresAt) return IEnclaveRegistry.AttestationExpired.selector;
        if (!workloadTrusted) return IEnclavePolicy.WorkloadNotTrusted.selector;
        if (status != TcbStatus.UP_TO_DATE) return IEnclavePolicy.TcbStatusNotAccepted.selector;
        return 0;
    }

    function modelEnclave(address authority_) external view returns (ModelEnclave memory) {
        return _enclaves[authority_];
    }

    function enclaveRegistry() external view returns (IEnclaveRegistry) {
        return enclaves;
    }

    function authorityOf(uint256 seed) public pure returns (address) {
        return vm.addr(authorityKeyOf(seed));
    }

    /// @dev The clock is the handler's, so that no step depends on how a run carries it on.
    function sync() public {
        vm.warp(_time);
        roll(_head);
    }

    function authorityKeyOf(uint256 seed) private pure returns (uint256) {
        return AUTHORITY_KEY + seed % ENCLAVES;
    }

    function ended(EnclaveState state) private pure returns (bool) {
        return state == EnclaveState.RETIRED || state == EnclaveState.REVOKED;
    }

    function act(address sender, bytes memory call_, bool expected, string memory what) private {
        vm.recordLogs();
        vm.prank(sender);
        (bool accepted,) = address(enclaves).call(call_);
        if (accepted != expected) violate(string.concat(what, accepted ? ": accepted" : ": refused"));
        if (accepted) ++successes;
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter == address(enclaves)) learn(logs[i]);
        }
    }

    /// @dev The reader invariants of the events, checked as a reader could.
    function learn(Vm.Log memory log) private {
        ModelEnclave storage model = _enclaves[address(uint160(uint256(log.topics[1])))];
        if (ended(model.state)) violate("an event after the end");
        if (log.topics[0] == IEnclaveRegistry.EnclaveAttested.selector) {
            (,,,, uint64 blockNumber, uint64 expiresAt) =
                abi.decode(log.data, (uint8, uint8, bytes32, bytes32, uint64, uint64));
            if (model.state != EnclaveState.NONE && blockNumber <= model.blockNumber) violate("an old block");
            (model.state, model.blockNumber, model.expiresAt) = (EnclaveState.ATTESTED, blockNumber, expiresAt);
        } else if (log.topics[0] == IEnclaveRegistry.AttestationInvalidated.selector) {
            if (model.state != EnclaveState.ATTESTED) violate("invalidated nothing");
            model.state = EnclaveState.INVALIDATED;
        } else if (log.topics[0] == IEnclaveRegistry.EnclaveEnded.selector) {
            model.state = EnclaveState(uint256(log.topics[2]));
            if (!ended(model.state)) violate("ended in a state that is no end");
        }
    }

    function violate(string memory what) private {
        if (bytes(violation).length == 0) violation = what;
    }
}
