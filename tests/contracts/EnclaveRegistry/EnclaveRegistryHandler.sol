// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AssuranceLevel, TcbStatus, TeeKind} from "../../../contracts/interfaces/AttestationTypes.sol";
import {IEnclavePolicy} from "../../../contracts/interfaces/IEnclavePolicy.sol";
import {EnclaveState, IEnclaveRegistry} from "../../../contracts/interfaces/IEnclaveRegistry.sol";
import {SeveralKinds} from "../registry/SeveralKinds.sol";
import {Vm} from "../registry/Vm.sol";

/// @title EnclaveRegistryHandler
/// @notice Enclaves of three kinds, the policy's owner, strangers and time, acting in any order. Before each act the model says
/// whether it must succeed; afterwards the model learns from the events alone.
contract EnclaveRegistryHandler is SeveralKinds {
    /// @dev An attestation by one kind.
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
    mapping(TeeKind kind => TcbStatus) public status;
    uint8 public required;
    uint8 public kinds;

    mapping(address authority => mapping(TeeKind kind => ModelEnclave)) internal _enclaves;
    mapping(address authority => TeeKind) public firstKind;
    /// @dev RETIRED or REVOKED, else NONE.
    mapping(address authority => EnclaveState) public end;
    uint256 private _time = START;
    uint256 private _head = START_BLOCK;

    constructor() {
        setUp();
        for (uint256 i = 0; i < 3; ++i) {
            status[kindOf(i)] = TcbStatus.UP_TO_DATE;
        }
    }

    // --- acts ------------------------------------------------------------------------------------------

    function attests(uint8 enclaveSeed, uint8 kindSeed, uint8 age) external {
        sync();
        (address authority_, TeeKind kind) = (authorityOf(enclaveSeed), kindOf(kindSeed));
        uint64 blockNumber = uint64(head() - 1 - age % 120);
        vm.setBlockhash(blockNumber, hashOfBlock(blockNumber));
        bytes memory evidence = evidenceBy(kind, reportBy(kind, authority_, blockNumber));
        ModelEnclave memory model = _enclaves[authority_][kind];
        bool expected = head() - blockNumber <= MAX_BLOCK_AGE && workloadTrusted && end[authority_] == EnclaveState.NONE
            && (model.state == EnclaveState.NONE || blockNumber > model.blockNumber);
        act(
            stranger,
            abi.encodeCall(IEnclaveRegistry.attest, (authority_, TRANSPORT_KEY, blockNumber, evidence)),
            expected,
            "attest"
        );
    }

    /// @dev One kind's evidence under another's name.
    function forges(uint8 enclaveSeed, uint8 kindSeed) external {
        sync();
        (address authority_, TeeKind kind) = (authorityOf(enclaveSeed), kindOf(kindSeed));
        bytes memory evidence = evidenceBy(kind, reportBy(kind, authority_, head() - 1));
        evidence[0] = bytes1(uint8(kindOf(uint256(kindSeed) + 1)));
        bytes memory call_ =
            abi.encodeCall(IEnclaveRegistry.attest, (authority_, TRANSPORT_KEY, uint64(head() - 1), evidence));
        act(attacker, call_, false, "forge");
    }

    function invalidates(uint8 enclaveSeed) external {
        sync();
        address authority_ = authorityOf(enclaveSeed);
        bool expected;
        for (uint256 i = 0; i < 3; ++i) {
            ModelEnclave memory model = _enclaves[authority_][kindOf(i)];
            if (model.state == EnclaveState.ATTESTED && reasonOf(authority_, kindOf(i)) != 0) expected = true;
        }
        expected = expected && end[authority_] == EnclaveState.NONE;
        act(stranger, abi.encodeCall(IEnclaveRegistry.invalidate, (authority_)), expected, "invalidate");
    }

    function demands(uint8 seed) external {
        sync();
        (uint8 required_, uint8 kinds_) = (seed % 4, 0);
        if (required_ != 0) kinds_ = required_ == 3 || seed & 4 != 0 ? TDX | NITRO | SEV_SNP : TDX | NITRO;
        if (required_ == required && kinds_ == kinds) return;
        demand(required_, kinds_);
        (required, kinds) = (required_, kinds_);
    }

    /// @dev By its own signature, or by another enclave's, or by one for another enclave.
    function retires(uint8 enclaveSeed, uint8 signerSeed, uint8 overSeed) external {
        sync();
        address authority_ = authorityOf(enclaveSeed);
        if (overSeed % 2 == 0) (signerSeed, overSeed) = (enclaveSeed, enclaveSeed); // mostly rightly
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(authorityKeyOf(signerSeed), enclaves.retirementDigest(authorityOf(overSeed)));
        bool expected = authorityOf(signerSeed) == authority_ && authorityOf(overSeed) == authority_
            && end[authority_] == EnclaveState.NONE;
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
        bool expected = sender == admin && end[authority_] == EnclaveState.NONE;
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

    function changesCollateral(uint8 seed, uint8 kindSeed) external {
        sync();
        TeeKind kind = kindOf(kindSeed);
        status[kind] = seed % 4 == 1 ? TcbStatus.OUT_OF_DATE : TcbStatus.UP_TO_DATE;
        judgedBy(kind, status[kind]);
    }

    function passes(uint32 seconds_, uint8 blocks) external {
        _time += seconds_ % 10 days;
        _head += blocks % 40;
        sync();
    }

    // --- the model -------------------------------------------------------------------------------------

    function expectedReason(address authority_) external view returns (bytes4 reason) {
        reason = reasonOf(authority_, firstKind[authority_]);
        if (reason != 0) return reason;
        uint256 counted;
        for (uint256 i = 0; i < 3; ++i) {
            bool counts = kinds & (uint8(1) << uint8(kindOf(i))) != 0;
            if (counts && reasonOf(authority_, kindOf(i)) == 0) ++counted;
        }
        if (counted < required) return IEnclaveRegistry.TooFewTeeKinds.selector;
    }

    /// @dev How an attestation by one kind stands by itself.
    function reasonOf(address authority_, TeeKind kind) public view returns (bytes4) {
        if (end[authority_] == EnclaveState.RETIRED) return IEnclaveRegistry.EnclaveRetired.selector;
        if (end[authority_] == EnclaveState.REVOKED) return IEnclaveRegistry.EnclaveRevoked.selector;
        ModelEnclave memory model = _enclaves[authority_][kind];
        if (model.state == EnclaveState.NONE) return IEnclaveRegistry.EnclaveUnknown.selector;
        if (model.state == EnclaveState.INVALIDATED) return IEnclaveRegistry.EnclaveInvalidated.selector;
        if (_time >= model.expiresAt) return IEnclaveRegistry.AttestationExpired.selector;
        if (!workloadTrusted) return IEnclavePolicy.WorkloadNotTrusted.selector;
        if (status[kind] != TcbStatus.UP_TO_DATE) return IEnclavePolicy.TcbStatusNotAccepted.selector;
        return 0;
    }

    /// @dev What the registry must record of one kind.
    function modelEnclave(address authority_, TeeKind kind) external view returns (ModelEnclave memory model) {
        model = _enclaves[authority_][kind];
        if (end[authority_] != EnclaveState.NONE) model.state = end[authority_];
    }

    function enclaveRegistry() external view returns (IEnclaveRegistry) {
        return enclaves;
    }

    function authorityOf(uint256 seed) public pure returns (address) {
        return vm.addr(authorityKeyOf(seed));
    }

    function kindOf(uint256 seed) public pure returns (TeeKind) {
        return [TeeKind.TDX, TeeKind.NITRO, TeeKind.SEV_SNP][seed % 3];
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
        address authority_ = address(uint160(uint256(log.topics[1])));
        if (end[authority_] != EnclaveState.NONE) violate("an event after the end");
        if (log.topics[0] == IEnclaveRegistry.EnclaveAttested.selector) {
            (TeeKind kind,,,, uint64 blockNumber, uint64 expiresAt) =
                abi.decode(log.data, (TeeKind, uint8, bytes32, bytes32, uint64, uint64));
            ModelEnclave storage model = _enclaves[authority_][kind];
            if (model.state != EnclaveState.NONE && blockNumber <= model.blockNumber) violate("an old block");
            (model.state, model.blockNumber, model.expiresAt) = (EnclaveState.ATTESTED, blockNumber, expiresAt);
            if (firstKind[authority_] == TeeKind.NONE) firstKind[authority_] = kind;
        } else if (log.topics[0] == IEnclaveRegistry.AttestationInvalidated.selector) {
            TeeKind kind = TeeKind(uint256(log.topics[2]));
            ModelEnclave storage model = _enclaves[authority_][kind];
            if (model.state != EnclaveState.ATTESTED) violate("invalidated nothing");
            if (bytes4(log.topics[3]) != reasonOf(authority_, kind)) violate("invalidated for another reason");
            model.state = EnclaveState.INVALIDATED;
        } else if (log.topics[0] == IEnclaveRegistry.EnclaveEnded.selector) {
            end[authority_] = EnclaveState(uint256(log.topics[2]));
            if (!ended(end[authority_])) violate("ended in a state that is no end");
        }
    }

    function violate(string memory what) private {
        if (bytes(violation).length == 0) violation = what;
    }
}
