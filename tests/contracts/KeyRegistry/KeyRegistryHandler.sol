// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AssuranceLevel, Provenance, TcbStatus, TeeKind} from "../../../contracts/interfaces/AttestationTypes.sol";
import {IEnclavePolicy} from "../../../contracts/interfaces/IEnclavePolicy.sol";
import {IEnclaveRegistry} from "../../../contracts/interfaces/IEnclaveRegistry.sol";
import {BundleProof, IKeyRegistry, KeyState} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {RegistryFixture} from "../registry/RegistryFixture.sol";
import {Vm} from "../registry/Vm.sol";

/// @title KeyRegistryHandler
/// @notice Owners, enclaves, an admin, thieves and time, acting in any order. Before each act the model says
/// whether it must succeed; afterwards the model learns from the events alone.
contract KeyRegistryHandler is RegistryFixture {
    struct ModelBundle {
        KeyState state;
        bytes32 preKey;
        address authority;
        uint64 epoch;
        uint64 expiresAt;
        Provenance provenance;
    }

    struct ModelEnclave {
        bool attested;
        bool invalidated;
        uint64 blockNumber;
        uint64 expiresAt;
        bytes32 workload;
        bytes32 transportKey;
    }

    struct Pair {
        address owner;
        bytes32 identityKey;
    }

    uint256 public constant OWNERS = 3;
    uint256 public constant ENCLAVES = 3;
    uint256 public constant NAMES = 12;

    /// @dev What went wrong, the first time; empty as long as every invariant of a step held.
    string public violation;
    /// @dev How often each kind of act succeeded, so that a run that does nothing is noticed.
    uint256 public successes;

    bool public paused;
    bool public workloadTrusted = true;
    bool public lapsed;
    TcbStatus public status = TcbStatus.UP_TO_DATE;
    bool public denied;
    /// @dev The deadline of the exception for OUT_OF_DATE; zero without one.
    uint256 public exceptionUntil;

    mapping(address owner => mapping(bytes32 identityKey => ModelBundle)) internal _bundles;
    mapping(address owner => uint256 count) public active;
    mapping(address authority => ModelEnclave) internal _enclaves;
    Pair[] internal _pairs;

    uint256 private _time = START;
    uint256 private _head = START_BLOCK;

    constructor() {
        setUp();
    }

    // --- acts ------------------------------------------------------------------------------------------

    function registers(uint8 ownerSeed, uint8 name, uint8 enclaveSeed, uint8 provenance, uint32 lifetime) external {
        sync();
        // Every fourth time a key that has been there, revoked or not.
        Bundle memory bundle =
            lifetime % 4 == 0 ? knownOr(ownerSeed, name) : newBundle(ownerOf(ownerSeed), vm.toString(name % NAMES));
        bundle.provenance = Provenance(provenance % 4);
        bundle.expiresAt = uint64(time() + lifetime % 20 days);
        uint256 key = authorityKeyOf(enclaveSeed);
        ModelBundle memory model = _bundles[bundle.owner][bundle.identityKey];
        bool expected = !paused && bundle.provenance != Provenance.NONE && bundle.expiresAt > time()
            && model.state == KeyState.NONE && active[bundle.owner] < 10 && expectedReason(vm.addr(key)) == 0;
        act(bundle.owner, address(registry), callOf(true, bundle, key), expected, "register");
    }

    function rotates(uint8 ownerSeed, uint8 name, uint8 enclaveSeed, uint8 step, uint32 lifetime) external {
        sync();
        Bundle memory bundle = knownOr(ownerSeed, name);
        ModelBundle memory model = _bundles[bundle.owner][bundle.identityKey];
        bundle.epoch = model.epoch + step % 3;
        bundle.preKey = keccak256(abi.encode(bundle.identityKey, bundle.epoch, lifetime));
        bundle.preKeySignature = signatureOf(bundle.preKey);
        bundle.provenance = step % 16 == 15 ? Provenance.DERIVED : model.provenance;
        bundle.expiresAt = uint64(time() + lifetime % 20 days);
        uint256 key = authorityKeyOf(enclaveSeed);
        for (uint256 i = 0; enclaveSeed % 2 == 0 && i < ENCLAVES; ++i) {
            // Every second time by the enclave that stands behind the bundle.
            if (vm.addr(authorityKeyOf(i)) == model.authority) key = authorityKeyOf(i);
        }
        address authority_ = vm.addr(key);
        bool enclavePasses =
            authority_ == model.authority ? expectedRecordReason(authority_) == 0 : expectedReason(authority_) == 0;
        bool expected = !paused && model.state == KeyState.ACTIVE && bundle.epoch > model.epoch
            && bundle.provenance == model.provenance && bundle.expiresAt > time() && enclavePasses;
        act(bundle.owner, address(registry), callOf(false, bundle, key), expected, "rotate");
    }

    function revokes(uint8 ownerSeed, uint8 name) external {
        sync();
        Bundle memory bundle = knownOr(ownerSeed, name);
        // I7: whatever else is the case, paused or not.
        bool expected = _bundles[bundle.owner][bundle.identityKey].state == KeyState.ACTIVE;
        act(
            bundle.owner,
            address(registry),
            abi.encodeCall(IKeyRegistry.revokeKeyBundle, (abi.encodePacked(bundle.identityKey))),
            expected,
            "revoke"
        );
    }

    /// @dev I6, I10: a certificate for one owner in the hands of another, or of the admin.
    function steals(uint8 pairSeed, uint8 thiefSeed, uint8 manner, uint8 enclaveSeed) external {
        sync();
        if (_pairs.length == 0) return;
        Pair memory pair = _pairs[pairSeed % _pairs.length];
        address thief = thiefSeed % 4 == 3 ? admin : ownerOf(thiefSeed);
        if (thief == pair.owner) return;
        Bundle memory bundle = newBundle(pair.owner, "");
        bundle.identityKey = pair.identityKey;
        bundle.epoch = _bundles[pair.owner][pair.identityKey].epoch + 1;
        bytes memory call_ = manner % 3 == 2
            ? abi.encodeCall(IKeyRegistry.revokeKeyBundle, (abi.encodePacked(pair.identityKey)))
            : callOf(manner % 3 == 0, bundle, authorityKeyOf(enclaveSeed));
        act(thief, address(registry), call_, false, "steal");
    }

    function attests(uint8 enclaveSeed, uint8 age, uint8 transportSeed) external {
        sync();
        address authority_ = vm.addr(authorityKeyOf(enclaveSeed));
        uint64 blockNumber = uint64(head() - 1 - age % 120);
        vm.setBlockhash(blockNumber, hashOfBlock(blockNumber));
        bytes32 transportKey = bytes32(uint256(transportSeed));
        bytes memory evidence = evidenceOf(newReport(authority_, transportKey, blockNumber));
        ModelEnclave memory model = _enclaves[authority_];
        bool expected = head() - blockNumber <= MAX_BLOCK_AGE && workloadTrusted && !denied
            && (!model.attested || blockNumber > model.blockNumber);
        act(
            stranger,
            address(enclaves),
            abi.encodeCall(IEnclaveRegistry.attest, (authority_, transportKey, blockNumber, evidence)),
            expected,
            "attest"
        );
    }

    function invalidates(uint8 enclaveSeed) external {
        sync();
        address authority_ = vm.addr(authorityKeyOf(enclaveSeed));
        bytes4 reason = expectedReason(authority_);
        bool expected = reason == IEnclaveRegistry.AttestationExpired.selector
            || reason == IEnclavePolicy.WorkloadNotTrusted.selector || reason == IEnclavePolicy.PlatformDenied.selector
            || reason == IEnclavePolicy.TcbStatusNotAccepted.selector;
        act(
            stranger,
            address(enclaves),
            abi.encodeCall(IEnclaveRegistry.invalidate, (authority_)),
            expected,
            "invalidate"
        );
    }

    function changesPolicy(uint8 seed) external {
        sync();
        if (seed % 4 != 0) return; // rarely: without a trusted workload little else happens
        bytes memory call_ = workloadTrusted
            ? abi.encodeCall(IEnclavePolicy.removeWorkload, (WORKLOAD))
            : abi.encodeCall(IEnclavePolicy.addWorkload, (WORKLOAD, AssuranceLevel.MEMBER, "again", bytes20(0)));
        act(admin, address(policy), call_, true, "policy");
        workloadTrusted = !workloadTrusted;
        exceptionUntil = 0; // a workload that returns brings no exception back
    }

    function denies(uint8 seed) external {
        sync();
        if (seed % 4 != 0 && !denied) return; // rarely, and not for long
        bytes memory call_ = denied
            ? abi.encodeCall(IEnclavePolicy.allowPlatform, (TeeKind.TDX, INSTANCE))
            : abi.encodeCall(IEnclavePolicy.denyPlatform, (TeeKind.TDX, INSTANCE));
        act(admin, address(policy), call_, true, "deny");
        denied = !denied;
    }

    function excepts(uint32 lifetime, uint8 seed) external {
        sync();
        uint64 until = uint64(time() + lifetime % 400 days);
        bytes32 advisories = seed % 2 == 0 ? ADVISORIES : policy.anyAdvisories();
        uint256 longest = seed % 2 == 0 ? 365 days : 90 days;
        bool expected = workloadTrusted && until > time() && until <= time() + longest;
        bytes memory call_ =
            abi.encodeCall(IEnclavePolicy.allowStatus, (WORKLOAD, TcbStatus.OUT_OF_DATE, advisories, until));
        act(admin, address(policy), call_, expected, "except");
        if (!expected) return;
        // The model keeps one deadline: withdraw the other form, if it is there.
        bytes32 other = seed % 2 == 0 ? policy.anyAdvisories() : ADVISORIES;
        if (policy.statusAllowedUntil(WORKLOAD, TcbStatus.OUT_OF_DATE, other) != 0) {
            call_ = abi.encodeCall(IEnclavePolicy.withdrawStatus, (WORKLOAD, TcbStatus.OUT_OF_DATE, other));
            act(admin, address(policy), call_, true, "withdraw");
        }
        exceptionUntil = until;
    }

    function changesCollateral(uint8 seed) external {
        sync();
        lapsed = seed % 5 == 0;
        status = seed % 5 == 1 ? TcbStatus.OUT_OF_DATE : TcbStatus.UP_TO_DATE;
        if (lapsed) verifier.scriptRevert(PLATFORM, abi.encodeWithSignature("CollateralLapsed()"));
        else judged(status);
    }

    function pauses(uint8 seed) external {
        sync();
        if (seed % 4 != 0 && !paused) return;
        bytes memory call_ = paused ? abi.encodeCall(IKeyRegistry.unpause, ()) : abi.encodeCall(IKeyRegistry.pause, ());
        act(admin, address(registry), call_, true, "pause");
        paused = !paused;
    }

    function passes(uint32 seconds_, uint8 blocks) external {
        _time += seconds_ % 10 days;
        _head += blocks % 40;
        sync();
    }

    // --- the model -------------------------------------------------------------------------------------

    function expectedRecordReason(address authority_) public view returns (bytes4) {
        ModelEnclave memory model = _enclaves[authority_];
        if (!model.attested) return IEnclaveRegistry.EnclaveUnknown.selector;
        if (model.invalidated) return IEnclaveRegistry.EnclaveInvalidated.selector;
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

    function modelBundle(address owner_, bytes32 identityKey) external view returns (ModelBundle memory) {
        return _bundles[owner_][identityKey];
    }

    function modelEnclave(address authority_) external view returns (ModelEnclave memory) {
        return _enclaves[authority_];
    }

    function pairs() external view returns (Pair[] memory) {
        return _pairs;
    }

    function keyRegistry() external view returns (IKeyRegistry) {
        return registry;
    }

    function enclaveRegistry() external view returns (IEnclaveRegistry) {
        return enclaves;
    }

    function blockHash(uint256 number) external pure returns (bytes32) {
        return hashOfBlock(number);
    }

    /// @dev The clock is the handler's, so that no step depends on how a run carries it on.
    function sync() public {
        vm.warp(_time);
        roll(_head);
    }

    function ownerOf(uint256 seed) public pure returns (address) {
        return address(uint160(0x0117e200 + seed % OWNERS));
    }

    function authorityOf(uint256 seed) external pure returns (address) {
        return vm.addr(authorityKeyOf(seed));
    }

    function authorityKeyOf(uint256 seed) private pure returns (uint256) {
        return AUTHORITY_KEY + seed % ENCLAVES;
    }

    /// @dev A bundle that was registered once, or any while there is none.
    function knownOr(uint256 ownerSeed, uint256 name) private view returns (Bundle memory bundle) {
        bundle = newBundle(ownerOf(ownerSeed), vm.toString(name % NAMES));
        if (_pairs.length == 0) return bundle;
        Pair memory pair = _pairs[(ownerSeed * NAMES + name) % _pairs.length];
        (bundle.owner, bundle.identityKey) = (pair.owner, pair.identityKey);
    }

    function callOf(bool first, Bundle memory bundle, uint256 key) private view returns (bytes memory) {
        bytes memory arguments = abi.encode(
            abi.encodePacked(bundle.identityKey),
            abi.encodePacked(bundle.preKey),
            bundle.preKeySignature,
            abi.encode(proofOf(bundle, key))
        );
        return abi.encodePacked(
            first ? IKeyRegistry.registerKeyBundleWithAttestation.selector : IKeyRegistry.rotatePreKey.selector,
            arguments
        );
    }

    function act(address sender, address target, bytes memory call_, bool expected, string memory what) private {
        vm.recordLogs();
        vm.prank(sender);
        (bool accepted,) = target.call(call_);
        if (accepted != expected) violate(string.concat(what, accepted ? ": accepted" : ": refused"));
        if (accepted) ++successes;
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter == address(registry)) learnBundle(sender, logs[i]);
            if (logs[i].emitter == address(enclaves)) learnEnclave(logs[i]);
        }
    }

    /// @dev The reader invariants of the events, checked as a reader could.
    function learnBundle(address sender, Vm.Log memory log) private {
        bytes32 topic = log.topics[0];
        bool isRegistration = topic == IKeyRegistry.KeyBundleRegistered.selector;
        bool isRotation = topic == IKeyRegistry.PreKeyRotated.selector;
        bool isRevocation = topic == IKeyRegistry.KeyBundleRevoked.selector;
        if (!isRegistration && !isRotation && !isRevocation) return;
        address owner_ = address(uint160(uint256(log.topics[1])));
        bytes32 identityKey = log.topics[2];
        ModelBundle storage model = _bundles[owner_][identityKey];
        if (owner_ != sender) violate("I6: not the owner's act");
        if (isRevocation) {
            if (model.state != KeyState.ACTIVE) violate("revoked what was not active");
            model.state = KeyState.REVOKED;
            --active[owner_];
            return;
        }
        ModelBundle memory next;
        bytes memory signature;
        (next.preKey, signature, next.epoch, next.expiresAt, next.provenance) =
            abi.decode(log.data, (bytes32, bytes, uint64, uint64, Provenance));
        next.authority = address(uint160(uint256(log.topics[3])));
        next.state = KeyState.ACTIVE;
        if (isRegistration) {
            if (model.state != KeyState.NONE) violate("I1: active before, or revoked");
            ++active[owner_];
            _pairs.push(Pair(owner_, identityKey));
        } else {
            if (model.state != KeyState.ACTIVE) violate("rotated what was not active");
            if (next.epoch <= model.epoch) violate("I2: the epoch fell");
            if (next.provenance != model.provenance) violate("laundered");
        }
        if (!_enclaves[next.authority].attested) violate("I3: certified by nobody attested");
        if (identityKey == next.preKey || identityKey == 0 || next.preKey == 0) violate("I9: keys not distinct");
        _bundles[owner_][identityKey] = next;
    }

    function learnEnclave(Vm.Log memory log) private {
        ModelEnclave storage model = _enclaves[address(uint160(uint256(log.topics[1])))];
        if (log.topics[0] == IEnclaveRegistry.EnclaveAttested.selector) {
            (,,, bytes32 transportKey, uint64 blockNumber, uint64 expiresAt) =
                abi.decode(log.data, (uint8, uint8, bytes32, bytes32, uint64, uint64));
            if (model.attested && blockNumber <= model.blockNumber) violate("renewed by an old block");
            (model.attested, model.invalidated) = (true, false);
            (model.blockNumber, model.expiresAt) = (blockNumber, expiresAt);
            (model.workload, model.transportKey) = (log.topics[2], transportKey);
        } else if (log.topics[0] == IEnclaveRegistry.AttestationInvalidated.selector) {
            if (!model.attested || model.invalidated) violate("invalidated nothing");
            model.invalidated = true;
        }
    }

    function violate(string memory what) private {
        if (bytes(violation).length == 0) violation = what;
    }
}
