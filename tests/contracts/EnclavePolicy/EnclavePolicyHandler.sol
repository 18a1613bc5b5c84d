// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";

import {EnclavePolicy} from "../../../contracts/EnclavePolicy.sol";
import {AssuranceLevel, TcbStatus, TeeKind} from "../../../contracts/interfaces/AttestationTypes.sol";
import {IEnclavePolicy} from "../../../contracts/interfaces/IEnclavePolicy.sol";
import {IPolicyAdministration} from "../../../contracts/interfaces/IPolicyAdministration.sol";
import {Checked, Vm} from "../registry/Vm.sol";

/// @title EnclavePolicyHandler
/// @notice Owners, guardians, a thief of the owner's key and time, acting in any order on a policy with a lock. Before
/// each act the model says whether it must succeed; afterwards the model learns from the events alone.
contract EnclavePolicyHandler is Checked {
    struct Announced {
        uint64 at;
        uint64 executableAt;
        uint64 lapsesAt;
        uint256 term;
    }

    uint256 public constant THINGS = 3;
    uint256 public constant KINDS = 6;
    uint32 public constant DELAY = 2 days;
    uint64 public constant WINDOW = 14 days;
    bytes32 public constant ADVISORIES = bytes32(bytes24(keccak256("advisories")));

    /// @dev What went wrong, the first time; empty as long as every invariant of a step held.
    string public violation;
    uint256 public successes;

    EnclavePolicy public policy;
    address public owner = address(0xad317);
    address public heir = address(0xad318);

    mapping(bytes32 id => Announced) internal _announced;
    mapping(bytes32 workload => bool) public trusted;
    mapping(bytes32 exceptionId => uint64) public until;
    mapping(bytes32 workload => uint256) public generation;
    mapping(bytes16 instance => bool) public platformDenied;
    mapping(bytes16 family => bool) public familyDenied;
    mapping(address account => bool) public guardian;
    uint8 public required;
    uint8 public kinds;
    uint256 public term;
    /// @dev The announcement that this transaction used up, zero outside of one.
    bytes32 private _executed;
    uint256 private _time = 1_780_000_000;

    constructor() {
        vm.warp(_time);
        policy = EnclavePolicy(create("EnclavePolicy.sol:EnclavePolicy", abi.encode(owner, DELAY)));
    }

    // --- acts ------------------------------------------------------------------------------------------

    function schedules(uint8 kind, uint8 thing) external {
        sync();
        bytes memory call_ = additionOf(kind, thing);
        bool expected = _time >= pending(keccak256(call_)).lapsesAt;
        act(owner, abi.encodeCall(IPolicyAdministration.scheduleAddition, (call_)), expected, "schedule");
    }

    /// @dev The owner sends an addition, announced or not, in its time or not.
    function adds(uint8 kind, uint8 thing) external {
        sync();
        bytes memory call_ = additionOf(kind, thing);
        Announced memory announced = pending(keccak256(call_));
        bool expected = announced.executableAt != 0 && _time >= announced.executableAt && _time < announced.lapsesAt
            && applies(kind, thing);
        act(owner, call_, expected, "add");
    }

    /// @dev Whoever is not the owner adds nothing, whatever was announced.
    function steals(uint8 kind, uint8 thing, uint8 thief) external {
        sync();
        act(thief % 2 == 0 ? heir : guardianOf(thief), additionOf(kind, thing), false, "steal");
    }

    function cancels(uint8 kind, uint8 thing, uint8 sender) external {
        sync();
        bytes32 id = keccak256(additionOf(kind, thing));
        address from = sender % 3 == 0 ? owner : guardianOf(sender);
        bool expected = (from == owner || guardian[from]) && pending(id).executableAt != 0;
        act(from, abi.encodeCall(IPolicyAdministration.cancelAddition, (id)), expected, "cancel");
    }

    function removes(uint8 kind, uint8 thing) external {
        sync();
        bool expected = !applies(kind, thing);
        if (kind % KINDS == 1) expected = untilOf(workloadOf(thing)) != 0;
        if (kind % KINDS == 5) {
            (uint8 required_, uint8 kinds_) = demandOf(thing);
            expected = applies(kind, thing) && !somebodyGains(required_, kinds_);
        }
        act(owner, removalOf(kind, thing), expected, "remove");
    }

    function handsOver(uint8 seed) external {
        sync();
        if (seed % 8 != 0) return; // rarely: it ends every announcement
        act(owner, abi.encodeCall(Ownable.transferOwnership, (heir)), true, "transfer");
        act(heir, abi.encodeCall(Ownable2Step.acceptOwnership, ()), true, "accept");
    }

    function passes(uint32 seconds_) external {
        _time += seconds_ % 4 days;
        sync();
    }

    // --- the model -------------------------------------------------------------------------------------

    function pending(bytes32 id) public view returns (Announced memory announced) {
        announced = _announced[id];
        if (announced.term != term) delete announced;
    }

    /// @dev Six kinds of addition about three things each.
    function additionOf(uint8 kind, uint8 thing) public pure returns (bytes memory) {
        kind = kind % uint8(KINDS);
        if (kind == 0) {
            return abi.encodeCall(
                IEnclavePolicy.addWorkload, (workloadOf(thing), AssuranceLevel.MEMBER, "source", bytes20(0))
            );
        }
        if (kind == 1) {
            return abi.encodeCall(
                IEnclavePolicy.allowStatus, (workloadOf(thing), TcbStatus.OUT_OF_DATE, ADVISORIES, deadlineOf(thing))
            );
        }
        if (kind == 2) return abi.encodeCall(IEnclavePolicy.allowPlatform, (TeeKind.TDX, platformOf(thing)));
        if (kind == 3) return abi.encodeCall(IEnclavePolicy.allowFamily, (TeeKind.TDX, platformOf(thing)));
        if (kind == 4) return abi.encodeCall(IPolicyAdministration.addGuardian, (guardianOf(thing)));
        (uint8 required_, uint8 kinds_) = demandOf(thing);
        return abi.encodeCall(IEnclavePolicy.relaxKinds, (required_, kinds_));
    }

    function removalOf(uint8 kind, uint8 thing) public pure returns (bytes memory) {
        kind = kind % uint8(KINDS);
        if (kind == 0) return abi.encodeCall(IEnclavePolicy.removeWorkload, (workloadOf(thing)));
        if (kind == 1) {
            return abi.encodeCall(IEnclavePolicy.withdrawStatus, (workloadOf(thing), TcbStatus.OUT_OF_DATE, ADVISORIES));
        }
        if (kind == 2) return abi.encodeCall(IEnclavePolicy.denyPlatform, (TeeKind.TDX, platformOf(thing)));
        if (kind == 3) return abi.encodeCall(IEnclavePolicy.denyFamily, (TeeKind.TDX, platformOf(thing)));
        if (kind == 4) return abi.encodeCall(IPolicyAdministration.removeGuardian, (guardianOf(thing)));
        (uint8 required_, uint8 kinds_) = demandOf(thing);
        return abi.encodeCall(IEnclavePolicy.demandKinds, (required_, kinds_));
    }

    /// @dev None; one of one kind; two of two.
    function demandOf(uint256 thing) public pure returns (uint8 required_, uint8 kinds_) {
        if (thing % THINGS == 0) return (0, 0);
        return thing % THINGS == 1 ? (1, 0x04) : (2, 0x0c);
    }

    function workloadOf(uint256 thing) public pure returns (bytes32) {
        return keccak256(abi.encode("workload", thing % THINGS));
    }

    function platformOf(uint256 thing) public pure returns (bytes16) {
        return bytes16(keccak256(abi.encode("platform", thing % THINGS)));
    }

    function guardianOf(uint256 thing) public pure returns (address) {
        return address(uint160(0x97a2d1a0 + thing % THINGS));
    }

    function deadlineOf(uint256 thing) public pure returns (uint64) {
        return uint64(1_780_000_000 + (1 + thing % THINGS) * 30 days);
    }

    function untilOf(bytes32 workload) public view returns (uint64) {
        return until[keccak256(abi.encode(workload, generation[workload]))];
    }

    /// @dev The clock is the handler's, so that no step depends on how a run carries it on.
    function sync() public {
        vm.warp(_time);
    }

    /// @dev Whether an addition would change something now.
    function applies(uint8 kind, uint8 thing) private view returns (bool) {
        kind = kind % uint8(KINDS);
        if (kind == 0) return !trusted[workloadOf(thing)];
        if (kind == 1) return trusted[workloadOf(thing)] && deadlineOf(thing) > _time;
        if (kind == 2) return platformDenied[platformOf(thing)];
        if (kind == 3) return familyDenied[platformOf(thing)];
        if (kind == 5) {
            (uint8 required_, uint8 kinds_) = demandOf(thing);
            return required_ != required || kinds_ != kinds;
        }
        return !guardian[guardianOf(thing)];
    }

    /// @dev Whether some set of standing kinds meets this demand and not the present one.
    function somebodyGains(uint8 required_, uint8 kinds_) private view returns (bool) {
        for (uint8 standing = 0; standing <= 0x1e; standing += 2) {
            if (bits(standing & kinds_) >= required_ && bits(standing & kinds) < required) return true;
        }
        return false;
    }

    function bits(uint8 set) private pure returns (uint256 count) {
        for (; set != 0; set &= set - 1) {
            ++count;
        }
    }

    function act(address sender, bytes memory call_, bool expected, string memory what) private {
        vm.recordLogs();
        vm.prank(sender);
        (bool accepted,) = address(policy).call(call_);
        if (accepted != expected) violate(string.concat(what, accepted ? ": accepted" : ": refused"));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        if (!accepted) return; // what a call logged before it reverted is recorded too
        ++successes;
        _executed = 0;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (!learnAdministration(logs[i])) learnPolicy(logs[i]);
        }
        if (_executed != 0) violate("an announcement was used up for nothing");
    }

    /// @dev The reader invariants of the events, checked as a reader could.
    function learnAdministration(Vm.Log memory log) private returns (bool known) {
        bytes32 topic = log.topics[0];
        bytes32 id = log.topics[1];
        if (topic == IPolicyAdministration.AdditionScheduled.selector) {
            (bytes memory call_, uint64 executableAt, uint64 lapsesAt) = abi.decode(log.data, (bytes, uint64, uint64));
            if (keccak256(call_) != id) violate("an id of something else");
            if (pending(id).lapsesAt > _time) violate("announced twice");
            if (executableAt != _time + DELAY || lapsesAt != executableAt + WINDOW) violate("other times");
            _announced[id] = Announced(uint64(_time), executableAt, lapsesAt, term);
        } else if (topic == IPolicyAdministration.AdditionExecuted.selector) {
            Announced memory announced = pending(id);
            if (announced.executableAt == 0) violate("never announced");
            if (_time < uint256(announced.at) + DELAY) violate("it did not wait");
            if (_time >= announced.lapsesAt) violate("it had lapsed");
            delete _announced[id];
            _executed = id;
        } else if (topic == IPolicyAdministration.AdditionCancelled.selector) {
            if (pending(id).executableAt == 0) violate("cancelled nothing");
            delete _announced[id];
        } else if (topic == Ownable.OwnershipTransferred.selector) {
            (owner, heir) = (address(uint160(uint256(log.topics[2]))), owner);
            ++term;
        } else {
            return topic == Ownable2Step.OwnershipTransferStarted.selector;
        }
        return true;
    }

    function learnPolicy(Vm.Log memory log) private {
        bytes32 topic = log.topics[0];
        bytes32 first = log.topics[1];
        bool adds_ = true;
        if (topic == IEnclavePolicy.KindsDemanded.selector) {
            (uint8 required_, uint8 kinds_) = (uint8(uint256(first)), uint8(uint256(log.topics[2])));
            adds_ = _executed != 0;
            if (!adds_ && somebodyGains(required_, kinds_)) violate("a demand loosened without an announcement");
            if (required_ == required && kinds_ == kinds) violate("the same demand again");
            (required, kinds) = (required_, kinds_);
            if (!adds_) return;
        } else if (topic == IEnclavePolicy.WorkloadAdded.selector) {
            trusted[first] = true;
        } else if (topic == IEnclavePolicy.StatusAllowed.selector) {
            if (!trusted[first]) violate("an exception of nothing");
            until[keccak256(abi.encode(first, generation[first]))] = abi.decode(log.data, (uint64));
        } else if (topic == IEnclavePolicy.PlatformDenialLifted.selector) {
            platformDenied[bytes16(log.topics[2])] = false;
        } else if (topic == IEnclavePolicy.FamilyDenialLifted.selector) {
            familyDenied[bytes16(log.topics[2])] = false;
        } else if (topic == IPolicyAdministration.GuardianAdded.selector) {
            guardian[address(uint160(uint256(first)))] = true;
        } else {
            adds_ = false;
        }
        if (adds_) {
            if (_executed == 0) violate("an addition without an announcement");
            _executed = 0;
        } else if (topic == IEnclavePolicy.WorkloadRemoved.selector) {
            trusted[first] = false;
            ++generation[first];
        } else if (topic == IEnclavePolicy.StatusWithdrawn.selector) {
            delete until[keccak256(abi.encode(first, generation[first]))];
        } else if (topic == IEnclavePolicy.PlatformDenialAdded.selector) {
            platformDenied[bytes16(log.topics[2])] = true;
        } else if (topic == IEnclavePolicy.FamilyDenialAdded.selector) {
            familyDenied[bytes16(log.topics[2])] = true;
        } else if (topic == IPolicyAdministration.GuardianRemoved.selector) {
            guardian[address(uint160(uint256(first)))] = false;
        } else {
            violate("an event that no reader knows");
        }
    }

    function violate(string memory what) private {
        if (bytes(violation).length == 0) violation = what;
    }
}
