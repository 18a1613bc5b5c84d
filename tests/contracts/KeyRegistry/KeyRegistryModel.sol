// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Provenance, TcbStatus} from "../../../contracts/interfaces/AttestationTypes.sol";
import {IEnclavePolicy} from "../../../contracts/interfaces/IEnclavePolicy.sol";
import {EnclaveState, IEnclaveRegistry} from "../../../contracts/interfaces/IEnclaveRegistry.sol";
import {
    IKeyAgents,
    IKeyBundles,
    IKeyDelegation,
    KeyState,
    Standing
} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {Vm} from "../registry/Vm.sol";
import {DelegationFixture} from "./DelegationFixture.sol";

/// @title KeyRegistryModel
/// @notice What a reader of the log knows of both registries, and what that says of every question. It learns from
/// events alone, and notes the first event that breaks what the interfaces promise of it.
abstract contract KeyRegistryModel is DelegationFixture {
    struct ModelBundle {
        KeyState state;
        Provenance provenance;
        uint64 epoch;
        uint64 expiresAt;
        address authority;
        address holder;
        bytes32 preKey;
    }

    struct ModelEnclave {
        EnclaveState state;
        uint64 blockNumber;
        uint64 expiresAt;
        bytes32 workload;
        bytes32 transportKey;
    }

    struct Pair {
        address owner;
        bytes32 identityKey;
    }

    /// @dev What went wrong, the first time; empty as long as every invariant of a step held.
    string public violation;

    bool public paused;
    bool public workloadTrusted = true;
    bool public lapsed;
    TcbStatus public status = TcbStatus.UP_TO_DATE;
    bool public denied;
    /// @dev The deadline of the exception for OUT_OF_DATE; zero without one.
    uint256 public exceptionUntil;

    mapping(address owner => mapping(bytes32 identityKey => ModelBundle)) internal _bundles;
    mapping(address owner => uint256 count) public active;
    mapping(address owner => uint64 blockNumber) public lastChange;
    mapping(address owner => uint256 nonce) public nonces;
    mapping(address owner => uint256 agentIdPlusOne) internal _agents;
    mapping(address authority => ModelEnclave) internal _enclaves;
    Pair[] internal _pairs;

    uint256 internal _time = START;
    uint256 internal _head = START_BLOCK;

    // --- what the model says ---------------------------------------------------------------------------

    function expectedRecordReason(address authority_) public view returns (bytes4) {
        ModelEnclave storage model = _enclaves[authority_];
        if (model.state == EnclaveState.NONE) return IEnclaveRegistry.EnclaveUnknown.selector;
        if (model.state == EnclaveState.RETIRED) return IEnclaveRegistry.EnclaveRetired.selector;
        if (model.state == EnclaveState.REVOKED) return IEnclaveRegistry.EnclaveRevoked.selector;
        if (model.state == EnclaveState.INVALIDATED) return IEnclaveRegistry.EnclaveInvalidated.selector;
        if (_time >= model.expiresAt) return IEnclaveRegistry.AttestationExpired.selector;
        return 0;
    }

    /// @dev I4 in plain words.
    function expectedReason(address authority_) public view returns (bytes4 reason) {
        reason = expectedRecordReason(authority_);
        if (reason != 0) return reason;
        if (!workloadTrusted) return IEnclavePolicy.WorkloadNotTrusted.selector;
        if (lapsed) return bytes4(keccak256("CollateralLapsed()"));
        if (denied) return IEnclavePolicy.PlatformDenied.selector;
        if (status != TcbStatus.UP_TO_DATE && _time >= exceptionUntil) {
            return IEnclavePolicy.TcbStatusNotAccepted.selector;
        }
        return 0;
    }

    function expectedStanding(address owner_, bytes32 identityKey)
        public
        view
        returns (Standing standing, bytes4 reason)
    {
        ModelBundle storage model = _bundles[owner_][identityKey];
        if (model.state == KeyState.NONE) return (Standing.NONE, 0);
        if (model.state == KeyState.REVOKED) return (Standing.REVOKED, 0);
        if (!inHolderHands(owner_, identityKey)) return (Standing.AGENT_TRANSFERRED, 0);
        reason = expectedReason(model.authority);
        if (reason != 0) return (Standing.ENCLAVE_NOT_TRUSTED, reason);
        return (_time >= model.expiresAt ? Standing.PRE_KEY_EXPIRED : Standing.TRUSTED, 0);
    }

    function inHolderHands(address owner_, bytes32 identityKey) internal view returns (bool) {
        address recorded = _bundles[owner_][identityKey].holder;
        return recorded == address(0) || recorded == agents.ownerOf(_agents[owner_] - 1);
    }

    function modelBundle(address owner_, bytes32 identityKey) external view returns (ModelBundle memory) {
        return _bundles[owner_][identityKey];
    }

    function modelEnclave(address authority_) external view returns (ModelEnclave memory) {
        return _enclaves[authority_];
    }

    function pairs() external view returns (Pair[] memory) {
        return _pairs;
    }

    // --- what it learns --------------------------------------------------------------------------------

    /// @dev Reads the log of one act. `changed` are the owners whom it may concern, by their own will.
    function learn(address[] memory changed) internal {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter == address(registry)) learnOfOwner(changed, logs[i]);
            if (logs[i].emitter == address(enclaves)) learnOfEnclave(logs[i]);
        }
    }

    function learnOfOwner(address[] memory changed, Vm.Log memory log) private {
        bytes32 topic = log.topics[0];
        if (topic == IKeyAgents.AgentBundleRegistered.selector) return learnOfAgent(log);
        if (topic == IKeyDelegation.RegistrationRefused.selector) return;
        bool isKeyEvent = topic == IKeyBundles.KeyBundleRegistered.selector
            || topic == IKeyBundles.PreKeyRotated.selector || topic == IKeyBundles.KeyBundleRevoked.selector;
        if (!isKeyEvent && topic != IKeyDelegation.SignaturesCancelled.selector) return;
        address owner_ = address(uint160(uint256(log.topics[1])));
        bool willing;
        for (uint256 i = 0; i < changed.length; ++i) {
            willing = willing || changed[i] == owner_;
        }
        if (!willing) violate("I6, I10: not the owner's will");
        if (!isKeyEvent) {
            uint256 nonce = abi.decode(log.data, (uint256));
            if (nonce <= nonces[owner_]) violate("I5: a nonce fell");
            nonces[owner_] = nonce;
            return;
        }
        if (topic == IKeyBundles.KeyBundleRevoked.selector) learnRevocation(owner_, log);
        else learnPublication(owner_, log);
        lastChange[owner_] = uint64(_head);
    }

    function learnRevocation(address owner_, Vm.Log memory log) private {
        ModelBundle storage model = _bundles[owner_][log.topics[2]];
        if (model.state != KeyState.ACTIVE) violate("I1: revoked what was not active");
        if (abi.decode(log.data, (uint64)) != lastChange[owner_]) violate("I8: the chain of changes is broken");
        model.state = KeyState.REVOKED;
        --active[owner_];
    }

    function learnPublication(address owner_, Vm.Log memory log) private {
        bytes32 identityKey = log.topics[2];
        ModelBundle memory model = _bundles[owner_][identityKey];
        (ModelBundle memory next, uint64 previousChange) = publicationOf(log);
        if (next.provenance != Provenance.NONE) {
            if (model.state != KeyState.NONE) violate("I1: active before, or revoked");
            if (++active[owner_] > 10) violate("more than ten");
            _pairs.push(Pair(owner_, identityKey));
        } else {
            if (model.state != KeyState.ACTIVE) violate("I1: rotated what was not active");
            if (next.preKey == model.preKey) violate("the pre-key stayed");
            (next.provenance, next.holder) = (model.provenance, model.holder);
        }
        if (next.epoch <= model.epoch) violate("I2: the epoch fell");
        if (next.expiresAt <= _time) violate("expired at birth");
        if (identityKey == next.preKey || identityKey == 0 || next.preKey == 0) violate("I9: keys not distinct");
        if (expectedRecordReason(next.authority) != 0) violate("I3: certified by nobody attested");
        if (previousChange != lastChange[owner_]) violate("I8: the chain of changes is broken");
        _bundles[owner_][identityKey] = next;
    }

    /// @dev A rotation tells no provenance: it is that of the registration. A registration's is never NONE.
    function publicationOf(Vm.Log memory log) private returns (ModelBundle memory next, uint64 previousChange) {
        if (log.topics[0] == IKeyBundles.KeyBundleRegistered.selector) {
            (next.preKey,, next.epoch, next.expiresAt, next.provenance, previousChange) =
                abi.decode(log.data, (bytes32, bytes, uint64, uint64, Provenance, uint64));
            if (next.provenance == Provenance.NONE) violate("registered without provenance");
        } else {
            (next.preKey,, next.epoch, next.expiresAt, previousChange) =
                abi.decode(log.data, (bytes32, bytes, uint64, uint64, uint64));
        }
        next.authority = address(uint160(uint256(log.topics[3])));
        next.state = KeyState.ACTIVE;
    }

    function learnOfAgent(Vm.Log memory log) private {
        address owner_ = address(uint160(uint256(log.topics[2])));
        if (owner_ != registry.agentOwner(uint256(log.topics[1]))) violate("not the agent's address");
        _agents[owner_] = uint256(log.topics[1]) + 1;
        _bundles[owner_][log.topics[3]].holder = abi.decode(log.data, (address));
    }

    function learnOfEnclave(Vm.Log memory log) private {
        ModelEnclave storage model = _enclaves[address(uint160(uint256(log.topics[1])))];
        bool ended = model.state == EnclaveState.RETIRED || model.state == EnclaveState.REVOKED;
        if (log.topics[0] == IEnclaveRegistry.EnclaveAttested.selector) {
            (,,, bytes32 transportKey, uint64 blockNumber, uint64 expiresAt) =
                abi.decode(log.data, (uint8, uint8, bytes32, bytes32, uint64, uint64));
            if (ended) violate("attested after its end");
            if (blockNumber <= model.blockNumber) violate("renewed by an old block");
            (model.state, model.blockNumber, model.expiresAt) = (EnclaveState.ATTESTED, blockNumber, expiresAt);
            (model.workload, model.transportKey) = (log.topics[2], transportKey);
        } else if (log.topics[0] == IEnclaveRegistry.AttestationInvalidated.selector) {
            if (model.state != EnclaveState.ATTESTED) violate("invalidated nothing");
            model.state = EnclaveState.INVALIDATED;
        } else if (log.topics[0] == IEnclaveRegistry.EnclaveEnded.selector) {
            if (ended) violate("ended twice");
            model.state = EnclaveState(uint8(uint256(log.topics[2])));
        }
    }

    function violate(string memory what) internal {
        if (bytes(violation).length == 0) violation = what;
    }
}
