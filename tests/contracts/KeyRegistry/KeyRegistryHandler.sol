// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AssuranceLevel, Provenance, TcbStatus, TeeKind} from "../../../contracts/interfaces/AttestationTypes.sol";
import {IEnclavePolicy} from "../../../contracts/interfaces/IEnclavePolicy.sol";
import {EnclaveState, IEnclaveRegistry} from "../../../contracts/interfaces/IEnclaveRegistry.sol";
import {
    IKeyAgents,
    IKeyBundles,
    IKeyDelegation,
    IKeyRegistry,
    KeyBundle,
    KeyState,
    Registration,
    Standing
} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {KeyWallet} from "../registry/Wallets.sol";
import {KeyRegistryModel} from "./KeyRegistryModel.sol";

/// @title KeyRegistryHandler
/// @notice Owners with and without code, agents and their holders, relayers, enclaves, administrators, thieves and
/// time, acting in any order. Before each act the model says whether it must succeed; afterwards the model learns from
/// the events, and the bundle that was touched is compared with it.
contract KeyRegistryHandler is KeyRegistryModel {
    /// @dev How an act reaches the registry. `ok` is false when that alone must refuse it.
    struct Way {
        address sender;
        bool twin;
        bool agent;
        uint256 agentId;
        uint256 key;
        uint256 nonce;
        uint256 deadline;
        bool otherIntent;
        bool ok;
    }

    uint256 public constant ACCOUNTS = 3;
    uint256 public constant OWNERS = 6; // three accounts, a wallet, two agents
    uint256 public constant ENCLAVES = 3;
    uint256 public constant NAMES = 12;
    uint256 private constant ACCOUNT_KEY = 0xacc0000;
    bytes4 private constant REGISTER_FOR = IKeyDelegation.registerKeyBundleWithAttestationFor.selector;

    address private immutable guardian = address(0x6a2d1a);
    address private immutable operator = address(0x0be2a702);
    /// @dev A registry beside ours, where nothing of ours may ever count.
    IKeyRegistry private neighbour;
    address private wallet;
    /// @dev Kept, because making them again in each step takes longer than the step.
    address[OWNERS] private owners;
    mapping(uint256 key => address) private addresses;
    bytes32 private separator;
    /// @dev How many times each enclave has been replaced after its end.
    uint256[ENCLAVES] private generations;
    bytes[4] private used;
    uint256 private usedCount;

    /// @dev How often each kind of act succeeded, so that a run that does nothing is noticed.
    uint256 public successes;

    constructor() {
        vm.recordLogs();
        setUp(); // attests the first enclave
        learn(new address[](0));
        neighbour = newRegistry(address(enclaves), address(agents));
        separator = super.domainSeparator();
        wallet = address(new KeyWallet(vm.addr(ACCOUNT_KEY + ACCOUNTS)));
        for (uint256 i = 0; i < ACCOUNTS; ++i) {
            owners[i] = vm.addr(ACCOUNT_KEY + i);
        }
        (owners[3], owners[4], owners[5]) = (wallet, registry.agentOwner(0), registry.agentOwner(1));
        for (uint256 i = 0; i < ENCLAVES; ++i) {
            addresses[authorityKeyOf(i)] = vm.addr(authorityKeyOf(i));
        }
        vm.prank(admin);
        policy.addGuardian(guardian);
        for (uint256 i = 0; i < ACCOUNTS; ++i) {
            vm.startPrank(ownerOf(i));
            agents.setApprovalForAll(operator, true);
            if (i < 2) agents.register();
            vm.stopPrank();
        }
        for (uint8 i = 1; i < ENCLAVES; ++i) {
            attests(i, 0, i);
        }
    }

    // --- owners' acts ----------------------------------------------------------------------------------

    function registers(uint8 who, uint8 name, uint8 enclave, uint8 provenance, uint32 lifetime, uint8 manner) external {
        sync();
        // Every fourth time a key that has been there, revoked or not.
        Bundle memory bundle =
            lifetime % 4 == 0 ? knownOr(who, name) : newBundle(ownerOf(who), vm.toString(name % NAMES));
        bundle.provenance = Provenance(provenance % 4);
        bundle.expiresAt = uint64(time() + lifetime % 20 days);
        uint256 key = authorityKeyOf(enclave);
        Way memory way = wayOf(bundle.owner, manner);
        bool expected = way.ok && mayRegister(bundle, key);
        act(way, callOf(true, bundle, key, way), bundle, expected, "register");
    }

    function rotates(uint8 who, uint8 name, uint8 enclave, uint8 step, uint32 lifetime, uint8 manner) external {
        sync();
        Bundle memory bundle = knownOr(who, name);
        ModelBundle memory model = _bundles[bundle.owner][bundle.identityKey];
        bundle.epoch = model.epoch + step % 3;
        bundle.preKey = keccak256(abi.encode(bundle.identityKey, bundle.epoch, lifetime));
        bundle.preKeySignature = signatureOf(bundle.preKey);
        bundle.provenance = step % 16 == 15 ? Provenance.DERIVED : model.provenance;
        bundle.expiresAt = uint64(time() + lifetime % 20 days);
        uint256 key = authorityKeyOf(enclave);
        for (uint256 i = 0; enclave % 2 == 0 && i < ENCLAVES; ++i) {
            // Every second time by the enclave that stands behind the bundle.
            if (authorityOf(i) == model.authority) key = authorityKeyOf(i);
        }
        Way memory way = wayOf(bundle.owner, manner);
        act(way, callOf(false, bundle, key, way), bundle, way.ok && mayRotate(bundle, key), "rotate");
    }

    /// @dev I7: a pause is no part of the condition.
    function revokes(uint8 who, uint8 name, uint8 manner) external {
        sync();
        Bundle memory bundle = knownOr(who, name);
        Way memory way = wayOf(bundle.owner, manner);
        bool expected = way.ok && _bundles[bundle.owner][bundle.identityKey].state == KeyState.ACTIVE;
        act(way, revocationOf(bundle, way), bundle, expected, "revoke");
    }

    function cancels(uint8 who) external {
        sync();
        Way memory way;
        way.sender = ownerOf(who % ACCOUNTS);
        Bundle memory bundle = newBundle(way.sender, "");
        act(way, abi.encodeCall(IKeyDelegation.cancelSignatures, ()), bundle, true, "cancel");
    }

    /// @dev Four entries of four owners, some of them bad; each is done exactly when it would be done alone.
    function registersMany(uint8 name, uint8 enclave, uint32 manners, uint32 lifetime) external {
        sync();
        Registration[] memory entries = new Registration[](ACCOUNTS + 1);
        address[] memory named = new address[](ACCOUNTS + 1);
        bool[] memory expected = new bool[](ACCOUNTS + 1);
        for (uint256 i = 0; i <= ACCOUNTS; ++i) {
            Bundle memory bundle = newBundle(ownerOf(i), vm.toString((name + i) % NAMES));
            bundle.expiresAt = uint64(time() + 1 + lifetime % 20 days);
            uint256 key = authorityKeyOf(enclave + (manners >> (8 * i)) % 5 / 4);
            Way memory way = twinOf(bundle.owner, uint8(manners >> (8 * i)));
            entries[i] = entryOf(bundle, key, way, way.otherIntent ? "RotatePreKey" : "RegisterKeyBundle");
            (named[i], expected[i]) = (bundle.owner, way.ok && mayRegister(bundle, key));
        }
        vm.recordLogs();
        vm.prank(relayer);
        try registry.registerKeyBundles(entries) returns (bool[] memory done) {
            if (paused) violate("batch: accepted");
            for (uint256 i = 0; i < done.length; ++i) {
                if (done[i] != expected[i]) violate(done[i] ? "batch: an entry accepted" : "batch: an entry refused");
                if (done[i]) ++nonces[named[i]];
                else named[i] = address(0);
            }
            ++successes;
        } catch {
            if (!paused) violate("batch: refused");
        }
        learn(named);
    }

    // --- agents ----------------------------------------------------------------------------------------

    function transfers(uint8 agent, uint8 to) external {
        sync();
        uint256 agentId = agent % 2;
        address holder = agents.ownerOf(agentId);
        vm.prank(holder);
        agents.transferFrom(holder, ownerOf(to % ACCOUNTS), agentId);
    }

    // --- thieves ---------------------------------------------------------------------------------------

    /// @dev I6, I10: a certificate for one owner in the hands of another, or of those who administer; with the thief's
    /// own signature where one is wanted.
    function steals(uint8 pairSeed, uint8 thiefSeed, uint8 manner, uint8 enclave) external {
        sync();
        if (_pairs.length == 0) return;
        Pair memory pair = _pairs[pairSeed % _pairs.length];
        uint256 thief = thiefSeed % (ACCOUNTS + 2);
        Way memory way;
        way.sender = thief == ACCOUNTS ? admin : thief == ACCOUNTS + 1 ? guardian : ownerOf(thief);
        if (way.sender == pair.owner) return;
        way.twin = manner % 2 == 0;
        (way.key, way.nonce, way.deadline) = (ACCOUNT_KEY + thief, nonces[pair.owner], time());
        if (thief >= ACCOUNTS) way.key += 100; // the number after the accounts' is the wallet's
        Bundle memory bundle = newBundle(pair.owner, "");
        bundle.identityKey = pair.identityKey;
        bundle.epoch = _bundles[pair.owner][pair.identityKey].epoch + 1;
        bytes memory call_ =
            manner % 3 == 2 ? revocationOf(bundle, way) : callOf(manner % 3 == 0, bundle, authorityKeyOf(enclave), way);
        act(way, call_, bundle, false, "steal");
    }

    /// @dev I5: what has acted once, here again and at the registry beside.
    function replays(uint8 seed, uint8 where) external {
        sync();
        if (usedCount == 0) return;
        bytes memory call_ = used[seed % (usedCount < used.length ? usedCount : used.length)];
        address target = where % 2 == 0 ? address(registry) : address(neighbour);
        vm.recordLogs();
        vm.prank(relayer);
        (bool accepted,) = target.call(call_);
        if (accepted) violate("I5: a signature acted twice");
        learn(new address[](0));
    }

    // --- enclaves --------------------------------------------------------------------------------------

    function attests(uint8 enclave, uint8 age, uint8 transport) public {
        sync();
        address authority_ = authorityOf(enclave);
        uint64 blockNumber = uint64(head() - 1 - age % 120);
        vm.setBlockhash(blockNumber, hashOfBlock(blockNumber));
        bytes32 transportKey = bytes32(uint256(transport));
        bytes memory evidence = evidenceOf(newReport(authority_, transportKey, blockNumber));
        ModelEnclave memory model = _enclaves[authority_];
        bool expected = head() - blockNumber <= MAX_BLOCK_AGE && workloadTrusted && !denied
            && model.state < EnclaveState.RETIRED && blockNumber > model.blockNumber;
        administer(
            stranger,
            address(enclaves),
            abi.encodeCall(IEnclaveRegistry.attest, (authority_, transportKey, blockNumber, evidence)),
            expected,
            "attest"
        );
    }

    function invalidates(uint8 enclave) external {
        sync();
        address authority_ = authorityOf(enclave);
        bytes4 reason = expectedReason(authority_);
        bool expected = reason == IEnclaveRegistry.AttestationExpired.selector
            || reason == IEnclavePolicy.WorkloadNotTrusted.selector || reason == IEnclavePolicy.PlatformDenied.selector
            || reason == IEnclavePolicy.TcbStatusNotAccepted.selector;
        bytes memory call_ = abi.encodeCall(IEnclaveRegistry.invalidate, (authority_));
        administer(stranger, address(enclaves), call_, expected, "invalidate");
    }

    /// @dev Rarely: an enclave ends for good, by its own signature or by the policy's owner, and another one follows.
    function ends(uint8 enclave, uint8 seed) external {
        sync();
        if (seed % 8 != 0) return;
        address authority_ = authorityOf(enclave);
        bytes memory call_ = abi.encodeCall(IEnclaveRegistry.revoke, (authority_));
        if (seed % 16 == 0) {
            bytes memory signature = signed(authorityKeyOf(enclave), enclaves.retirementDigest(authority_));
            call_ = abi.encodeCall(IEnclaveRegistry.retire, (authority_, signature));
        }
        administer(admin, address(enclaves), call_, _enclaves[authority_].state < EnclaveState.RETIRED, "end");
        ++generations[enclave % ENCLAVES];
        addresses[authorityKeyOf(enclave)] = vm.addr(authorityKeyOf(enclave));
        attests(enclave, 0, seed);
    }

    // --- administration --------------------------------------------------------------------------------

    function changesPolicy(uint8 seed) external {
        sync();
        if (seed % 4 != 0 && workloadTrusted) return; // rarely, and not for long: little else happens then
        bytes memory call_ = workloadTrusted
            ? abi.encodeCall(IEnclavePolicy.removeWorkload, (WORKLOAD))
            : abi.encodeCall(IEnclavePolicy.addWorkload, (WORKLOAD, AssuranceLevel.MEMBER, "again", bytes20(0)));
        administer(admin, address(policy), call_, true, "policy");
        workloadTrusted = !workloadTrusted;
        exceptionUntil = 0; // a workload that returns brings no exception back
    }

    function denies(uint8 seed) external {
        sync();
        if (seed % 4 != 0 && !denied) return; // rarely, and not for long
        bytes memory call_ = denied
            ? abi.encodeCall(IEnclavePolicy.allowPlatform, (TeeKind.TDX, INSTANCE))
            : abi.encodeCall(IEnclavePolicy.denyPlatform, (TeeKind.TDX, INSTANCE));
        administer(admin, address(policy), call_, true, "deny");
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
        administer(admin, address(policy), call_, expected, "except");
        if (!expected) return;
        // The model keeps one deadline: withdraw the other form, if it is there.
        bytes32 other = seed % 2 == 0 ? policy.anyAdvisories() : ADVISORIES;
        if (policy.statusAllowedUntil(WORKLOAD, TcbStatus.OUT_OF_DATE, other) != 0) {
            call_ = abi.encodeCall(IEnclavePolicy.withdrawStatus, (WORKLOAD, TcbStatus.OUT_OF_DATE, other));
            administer(admin, address(policy), call_, true, "withdraw");
        }
        exceptionUntil = until;
    }

    function changesCollateral(uint8 seed) external {
        sync();
        lapsed = seed % 8 == 0;
        status = seed % 8 == 1 ? TcbStatus.OUT_OF_DATE : TcbStatus.UP_TO_DATE;
        if (lapsed) verifier.scriptRevert(PLATFORM, abi.encodeWithSignature("CollateralLapsed()"));
        else judged(status);
    }

    function pauses(uint8 seed) external {
        sync();
        if (seed % 8 > 1 && !paused) return;
        bytes memory call_ = paused ? abi.encodeCall(IKeyRegistry.unpause, ()) : abi.encodeCall(IKeyRegistry.pause, ());
        // A guardian may begin a pause, the policy's owner alone ends it.
        address sender = seed % 2 == 0 ? admin : guardian;
        bool expected = sender == admin || !paused;
        administer(sender, address(registry), call_, expected, "pause");
        if (expected) paused = !paused;
    }

    function passes(uint32 seconds_, uint8 blocks) external {
        _time += seconds_ % 10 days;
        _head += blocks % 40;
        sync();
    }

    // --- who is who ------------------------------------------------------------------------------------

    /// @dev The clock is the handler's, so that no step depends on how a run carries it on.
    function sync() public {
        vm.warp(_time);
        roll(_head);
    }

    function ownerOf(uint256 seed) public view returns (address) {
        return owners[seed % OWNERS];
    }

    function authorityOf(uint256 seed) public view returns (address) {
        return addresses[authorityKeyOf(seed)];
    }

    function keyRegistry() external view returns (IKeyRegistry) {
        return registry;
    }

    function keyNeighbour() external view returns (IKeyRegistry) {
        return neighbour;
    }

    function enclaveRegistry() external view returns (IEnclaveRegistry) {
        return enclaves;
    }

    function blockHash(uint256 number) external pure returns (bytes32) {
        return hashOfBlock(number);
    }

    function authorityKeyOf(uint256 seed) private view returns (uint256) {
        return AUTHORITY_KEY + seed % ENCLAVES + ENCLAVES * generations[seed % ENCLAVES];
    }

    /// @dev A bundle that was registered once, or any while there is none.
    function knownOr(uint256 who, uint256 name) private view returns (Bundle memory bundle) {
        bundle = newBundle(ownerOf(who), vm.toString(name % NAMES));
        if (_pairs.length == 0) return bundle;
        Pair memory pair = _pairs[(who * NAMES + name) % _pairs.length];
        (bundle.owner, bundle.identityKey) = (pair.owner, pair.identityKey);
    }

    function domainSeparator() internal view override returns (bytes32) {
        return separator;
    }

    // --- what must succeed -----------------------------------------------------------------------------

    function mayRegister(Bundle memory bundle, uint256 key) private view returns (bool) {
        return !paused && bundle.provenance != Provenance.NONE && bundle.expiresAt > time()
            && _bundles[bundle.owner][bundle.identityKey].state == KeyState.NONE && active[bundle.owner] < 10
            && expectedReason(addresses[key]) == 0;
    }

    function mayRotate(Bundle memory bundle, uint256 key) private view returns (bool) {
        ModelBundle memory model = _bundles[bundle.owner][bundle.identityKey];
        if (paused || model.state != KeyState.ACTIVE || bundle.epoch <= model.epoch) return false;
        if (bundle.provenance != model.provenance || bundle.expiresAt <= time()) return false;
        if (!inHolderHands(bundle.owner, bundle.identityKey)) return false;
        address authority_ = addresses[key];
        return authority_ == model.authority ? expectedRecordReason(authority_) == 0 : expectedReason(authority_) == 0;
    }

    // --- how it is brought -----------------------------------------------------------------------------

    function wayOf(address owner_, uint8 manner) private view returns (Way memory way) {
        if (owner_ == owners[4]) return agentWayOf(0, manner);
        if (owner_ == owners[5]) return agentWayOf(1, manner);
        if (manner % 3 != 0 || owner_ == wallet) return twinOf(owner_, manner);
        (way.sender, way.ok) = (owner_, true);
    }

    function agentWayOf(uint256 agentId, uint8 manner) private view returns (Way memory way) {
        (way.agent, way.agentId, way.ok) = (true, agentId, manner % 4 != 3);
        way.sender = manner % 4 == 2 ? operator : manner % 4 == 3 ? stranger : agents.ownerOf(agentId);
    }

    /// @dev By signature, half of the time with a flaw.
    function twinOf(address owner_, uint8 manner) private view returns (Way memory way) {
        (way.sender, way.twin, way.ok) = (relayer, true, true);
        (way.key, way.nonce, way.deadline) = (ACCOUNT_KEY + ACCOUNTS, nonces[owner_], time() + manner % 5);
        for (uint256 i = 0; i < ACCOUNTS; ++i) {
            if (owner_ == ownerOf(i)) way.key = ACCOUNT_KEY + i;
        }
        uint256 flaw = manner / 8 % 8;
        if (flaw == 0) ++way.nonce;
        else if (flaw == 1) way.deadline = time() - 1;
        else if (flaw == 2) way.key += 1;
        else if (flaw == 3) way.otherIntent = true;
        way.ok = flaw > 3;
    }

    function callOf(bool first, Bundle memory bundle, uint256 key, Way memory way) private view returns (bytes memory) {
        string memory intent = first != way.otherIntent ? "RegisterKeyBundle" : "RotatePreKey";
        Registration memory entry = entryOf(bundle, key, way, intent);
        if (way.twin) return callOf(first ? REGISTER_FOR : IKeyDelegation.rotatePreKeyFor.selector, entry);
        bytes memory arguments =
            abi.encode(entry.identityKey, entry.preKey, entry.preKeySignature, entry.attestationProof);
        if (!way.agent) {
            bytes4 own =
                first ? IKeyBundles.registerKeyBundleWithAttestation.selector : IKeyBundles.rotatePreKey.selector;
            return abi.encodePacked(own, arguments);
        }
        return abi.encodeWithSelector(
            first
                ? IKeyAgents.registerKeyBundleWithAttestationForAgent.selector
                : IKeyAgents.rotatePreKeyForAgent.selector,
            way.agentId,
            entry.identityKey,
            entry.preKey,
            entry.preKeySignature,
            entry.attestationProof
        );
    }

    function entryOf(Bundle memory bundle, uint256 key, Way memory way, string memory intent)
        private
        view
        returns (Registration memory entry)
    {
        entry.owner = bundle.owner;
        entry.identityKey = abi.encodePacked(bundle.identityKey);
        entry.preKey = abi.encodePacked(bundle.preKey);
        entry.preKeySignature = bundle.preKeySignature;
        entry.attestationProof = encode(proofOf(bundle, key));
        entry.deadline = way.deadline;
        if (way.twin) {
            entry.signature = signed(way.key, intentOf(intent, bundle, addresses[key], way.nonce, way.deadline));
        }
    }

    function revocationOf(Bundle memory bundle, Way memory way) private view returns (bytes memory) {
        bytes memory identityKey = abi.encodePacked(bundle.identityKey);
        if (way.agent) return abi.encodeCall(IKeyAgents.revokeKeyBundleForAgent, (way.agentId, identityKey));
        if (!way.twin) return abi.encodeCall(IKeyBundles.revokeKeyBundle, (identityKey));
        bytes32 digest = way.otherIntent
            ? intentOf("RotatePreKey", bundle, authority, way.nonce, way.deadline)
            : revocationOf(bundle.owner, bundle.identityKey, way.nonce, way.deadline);
        return abi.encodeCall(
            IKeyDelegation.revokeKeyBundleFor, (bundle.owner, identityKey, way.deadline, signed(way.key, digest))
        );
    }

    function act(Way memory way, bytes memory call_, Bundle memory bundle, bool expected, string memory what) private {
        vm.recordLogs();
        vm.prank(way.sender);
        (bool accepted,) = address(registry).call(call_);
        if (accepted != expected) violate(string.concat(what, accepted ? ": accepted" : ": refused"));
        address[] memory changed = new address[](1);
        if (accepted) {
            ++successes;
            changed[0] = bundle.owner;
            if (way.twin) {
                ++nonces[bundle.owner];
                used[usedCount++ % used.length] = call_;
            }
        }
        learn(changed);
        compare(bundle.owner, bundle.identityKey);
    }

    function administer(address sender, address target, bytes memory call_, bool expected, string memory what) private {
        vm.recordLogs();
        vm.prank(sender);
        (bool accepted,) = target.call(call_);
        if (accepted != expected) violate(string.concat(what, accepted ? ": accepted" : ": refused"));
        if (accepted) ++successes;
        learn(new address[](0));
    }

    /// @dev I4, I8 for one bundle: what the views show is what the events say.
    function compare(address owner_, bytes32 identityKey) private {
        ModelBundle memory model = _bundles[owner_][identityKey];
        KeyBundle memory shown = registry.getKeyBundle(owner_, identityKey);
        if (
            shown.state != model.state || shown.preKey != model.preKey || shown.authority != model.authority
                || shown.epoch != model.epoch || shown.expiresAt != model.expiresAt
                || shown.provenance != model.provenance
        ) violate("I8: the bundle");
        if (registry.nonces(owner_) != nonces[owner_]) violate("I5: the nonce");
        if (registry.lastChange(owner_) != lastChange[owner_]) violate("I8: the last change");
        (Standing standing, bytes4 reason) = registry.isTrusted(owner_, identityKey);
        (Standing expected, bytes4 expectedReason_) = expectedStanding(owner_, identityKey);
        if (standing != expected || reason != expectedReason_) violate("I4: the standing");
    }
}
