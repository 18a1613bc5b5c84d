// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IKeyAgents} from "../../../contracts/interfaces/IKeyAgents.sol";
import {IKeyBundles} from "../../../contracts/interfaces/IKeyBundles.sol";
import {IKeyDelegation, Registration} from "../../../contracts/interfaces/IKeyDelegation.sol";
import {IKeyViews} from "../../../contracts/interfaces/IKeyViews.sol";
import {SymbolicFixture} from "./Symbolic.sol";

/// @title KeyTransitionsSymbolicTest
/// @notice What each entry point of KeyRegistry may do to a key: I1, I2, I5 and I6 of docs/SPECIFICATION.md. `make
/// symbolic` runs it.
/// @dev A check watches the bundle of any owner and any identity key while any sender makes one call, and compares the
/// two stored words before and after. What it allows is: nothing, or the one transition that this function is for, by
/// whom it is for. A call that reverts changes nothing, which is the machine's rule and not checked.
///
/// Symbolic are: every storage word of KeyRegistry, EnclaveRegistry and the agents' tokens, so each check starts in any
/// state, reachable or not, and what it says of one call holds for each call of a sequence; the sender, the watched owner
/// and key; every byte of the arguments; the time and the block's number. keccak256 and ecrecover are functions that nothing is known
/// of, but that equal inputs give equal outputs, and that keccak256 does not collide.
///
/// Concrete are: the lengths (32, 32, 64, 96 and 65 bytes; a batch has one entry); the signer of intents, an address
/// without code; the policy, which trusts one workload; the verifier, which is replaced at its interface and calls each
/// platform up to date, because KeyRegistry hears no more than a yes or a no of it.
///
/// The functions that start with `long_` are no part of `make symbolic`: they find faults in seconds, but nobody has seen
/// them explore every path. A batch of one entry covers the path of the first.
///
/// NOT shown: arguments of other lengths, so neither a proof that brings evidence nor an ERC-6492 signature; owners that
/// are contracts (ERC-1271); a batch of more entries; that a signature cannot be forged; that an enclave is attested
/// rightly, which is EnclaveRegistry's matter. The last change in a word is the owner's and not compared.
contract KeyTransitionsSymbolicTest is SymbolicFixture {
    /// @dev The arguments of a registration or a rotation.
    struct Claim {
        bytes identityKey;
        bytes preKey;
        bytes preKeySignature;
        bytes proof;
    }

    bytes32 private constant REGISTER = keccak256(
        "RegisterKeyBundle(address owner,bytes32 identityKey,bytes32 preKey,uint64 epoch,uint64 expiresAt,"
        "uint8 provenance,address authority,uint256 nonce,uint256 deadline)"
    );
    bytes32 private constant ROTATE = keccak256(
        "RotatePreKey(address owner,bytes32 identityKey,bytes32 preKey,uint64 epoch,uint64 expiresAt,"
        "uint8 provenance,address authority,uint256 nonce,uint256 deadline)"
    );
    bytes32 private constant REVOKE =
        keccak256("RevokeKeyBundle(address owner,bytes32 identityKey,uint256 nonce,uint256 deadline)");
    bytes32 private constant DOMAIN =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    /// @dev Who signs intents: an address without code.
    address private constant SIGNER = address(0x0117e2);

    address private watched;
    bytes32 private watchedKey;
    address private sender;

    function setUp() public override {
        super.setUp();
        _forget();
        svm.enableSymbolicStorage(address(tokens));
        watched = svm.createAddress("watched_owner");
        watchedKey = svm.createBytes32("watched_key");
        sender = svm.createAddress("sender");
    }

    // --- by the owner's transaction ------------------------------------------------------------------

    function check_register_makes_the_senders_new_key_active() external {
        Stored memory old = _stored(watched, watchedKey);
        Claim memory claim = _claim();
        if (!_send(_bundleCall(IKeyBundles.registerKeyBundleWithAttestation.selector, claim))) return;
        Stored memory now_ = _stored(watched, watchedKey);
        bool lawful = _all(_registered(old, now_), _eq(sender, watched), _certified(watched, claim, now_));
        assert(_any(_same(old, now_), lawful));
    }

    function check_rotate_moves_the_senders_active_key_to_a_greater_epoch() external {
        Stored memory old = _stored(watched, watchedKey);
        Claim memory claim = _claim();
        if (!_send(_bundleCall(IKeyBundles.rotatePreKey.selector, claim))) return;
        Stored memory now_ = _stored(watched, watchedKey);
        bool lawful = _all(_rotated(old, now_), _eq(sender, watched), _certified(watched, claim, now_));
        assert(_any(_same(old, now_), lawful));
    }

    function check_revoke_ends_the_senders_active_key() external {
        Stored memory old = _stored(watched, watchedKey);
        if (!_send(abi.encodeCall(IKeyBundles.revokeKeyBundle, (svm.createBytes(32, "identity_key"))))) return;
        Stored memory now_ = _stored(watched, watchedKey);
        assert(_any(_same(old, now_), _all(_revoked(old, now_), _eq(sender, watched))));
    }

    // --- by the owner's signature --------------------------------------------------------------------

    function long_registerFor_needs_the_owners_signature() external {
        Stored memory old = _stored(watched, watchedKey);
        (Claim memory claim, uint256 deadline, bytes memory signature) = (_claim(), _deadline(), _signature());
        bool signed = _signed(_bundleIntent(REGISTER, claim, deadline), deadline, signature);
        if (!_send(
                _intentCall(IKeyDelegation.registerKeyBundleWithAttestationFor.selector, claim, deadline, signature)
            )) {
            return;
        }
        Stored memory now_ = _stored(watched, watchedKey);
        bool lawful = _all(_registered(old, now_), _eq(watched, SIGNER), signed, _certified(watched, claim, now_));
        assert(_any(_same(old, now_), lawful));
    }

    function check_rotateFor_needs_the_owners_signature() external {
        Stored memory old = _stored(watched, watchedKey);
        (Claim memory claim, uint256 deadline, bytes memory signature) = (_claim(), _deadline(), _signature());
        bool signed = _signed(_bundleIntent(ROTATE, claim, deadline), deadline, signature);
        if (!_send(_intentCall(IKeyDelegation.rotatePreKeyFor.selector, claim, deadline, signature))) return;
        Stored memory now_ = _stored(watched, watchedKey);
        bool lawful = _all(_rotated(old, now_), _eq(watched, SIGNER), signed, _certified(watched, claim, now_));
        assert(_any(_same(old, now_), lawful));
    }

    function check_revokeFor_needs_the_owners_signature() external {
        Stored memory old = _stored(watched, watchedKey);
        (uint256 deadline, bytes memory signature) = (_deadline(), _signature());
        bytes memory key = svm.createBytes(32, "identity_key");
        bytes32 intent = keccak256(abi.encode(REVOKE, SIGNER, bytes32(key), _nonce(), deadline));
        bool signed = _signed(intent, deadline, signature);
        if (!_send(abi.encodeCall(IKeyDelegation.revokeKeyBundleFor, (SIGNER, key, deadline, signature)))) return;
        Stored memory now_ = _stored(watched, watchedKey);
        assert(_any(_same(old, now_), _all(_revoked(old, now_), _eq(watched, SIGNER), signed)));
    }

    function check_a_batch_needs_the_owners_signature() external {
        Stored memory old = _stored(watched, watchedKey);
        (Claim memory claim, uint256 deadline, bytes memory signature) = (_claim(), _deadline(), _signature());
        bool signed = _signed(_bundleIntent(REGISTER, claim, deadline), deadline, signature);
        Registration[] memory batch = new Registration[](1);
        batch[0] = Registration({
            owner: SIGNER,
            identityKey: claim.identityKey,
            preKey: claim.preKey,
            preKeySignature: claim.preKeySignature,
            attestationProof: claim.proof,
            deadline: deadline,
            signature: signature
        });
        if (!_send(abi.encodeCall(IKeyDelegation.registerKeyBundles, (batch)))) return;
        Stored memory now_ = _stored(watched, watchedKey);
        bool lawful = _all(_registered(old, now_), _eq(watched, SIGNER), signed, _certified(watched, claim, now_));
        assert(_any(_same(old, now_), lawful));
    }

    function check_an_intent_consumes_the_owners_number() external {
        uint256 nonce = _nonce();
        bytes memory key = svm.createBytes(32, "identity_key");
        bytes memory call_ = abi.encodeCall(IKeyDelegation.revokeKeyBundleFor, (SIGNER, key, _deadline(), _signature()));
        if (!_send(call_)) return;
        unchecked {
            assert(_nonce() == nonce + 1);
        }
    }

    function check_cancelSignatures_touches_no_key() external {
        Stored memory old = _stored(watched, watchedKey);
        _send(abi.encodeCall(IKeyDelegation.cancelSignatures, ()));
        Stored memory now_ = _stored(watched, watchedKey);
        assert(_all(_eq(old.preKey, now_.preKey), _eq(old.word, now_.word)));
    }

    // --- by who controls an agent --------------------------------------------------------------------

    function long_registerForAgent_needs_control_of_the_agent() external {
        Stored memory old = _stored(watched, watchedKey);
        (uint256 agentId, Claim memory claim) = (svm.createUint(256, "agent"), _claim());
        if (!_send(_agentCall(IKeyAgents.registerKeyBundleWithAttestationForAgent.selector, agentId, claim))) return;
        Stored memory now_ = _stored(watched, watchedKey);
        bool lawful = _all(_registered(old, now_), _controls(agentId), _certified(watched, claim, now_));
        assert(_any(_same(old, now_), lawful));
    }

    function long_rotateForAgent_needs_control_of_the_agent() external {
        Stored memory old = _stored(watched, watchedKey);
        (uint256 agentId, Claim memory claim) = (svm.createUint(256, "agent"), _claim());
        if (!_send(_agentCall(IKeyAgents.rotatePreKeyForAgent.selector, agentId, claim))) return;
        Stored memory now_ = _stored(watched, watchedKey);
        bool unmoved = _eq(registry.agentHolder(agentId, watchedKey), tokens.ownerOf(agentId));
        bool lawful = _all(_rotated(old, now_), _controls(agentId), unmoved, _certified(watched, claim, now_));
        assert(_any(_same(old, now_), lawful));
    }

    function check_revokeForAgent_needs_control_of_the_agent() external {
        Stored memory old = _stored(watched, watchedKey);
        (uint256 agentId, bytes memory key) = (svm.createUint(256, "agent"), svm.createBytes(32, "identity_key"));
        if (!_send(abi.encodeCall(IKeyAgents.revokeKeyBundleForAgent, (agentId, key)))) return;
        Stored memory now_ = _stored(watched, watchedKey);
        assert(_any(_same(old, now_), _all(_revoked(old, now_), _controls(agentId))));
    }

    // --- what is allowed -----------------------------------------------------------------------------

    function _registered(Stored memory old, Stored memory now_) private pure returns (bool) {
        return _all(
            _all(_eq(_state(old), NONE), _eq(_state(now_), ACTIVE)),
            _all(_less(0, _epoch(now_)), _less(0, _provenance(now_)))
        );
    }

    function _rotated(Stored memory old, Stored memory now_) private pure returns (bool) {
        return _all(
            _all(_eq(_state(old), ACTIVE), _eq(_state(now_), ACTIVE)),
            _all(_eq(_position(now_), _position(old)), _eq(_provenance(now_), _provenance(old))),
            _less(_epoch(old), _epoch(now_)),
            _not(_eq(now_.preKey, old.preKey))
        );
    }

    function _revoked(Stored memory old, Stored memory now_) private pure returns (bool) {
        return _all(
            _all(_eq(_state(old), ACTIVE), _eq(_state(now_), REVOKED)),
            _all(_eq(now_.preKey, old.preKey), _eq((now_.word ^ old.word) & ~(CHANGE | 3), 0))
        );
    }

    /// @dev The authority that is recorded signed what is recorded, for this owner, and is an attested enclave.
    function _certified(address owner, Claim memory claim, Stored memory now_) private view returns (bool) {
        (bool succeeded, bytes memory answer) = address(registry)
            .staticcall(
                abi.encodeWithSelector(
                    IKeyViews.certificateDigest.selector,
                    owner,
                    watchedKey,
                    now_.preKey,
                    claim.preKeySignature,
                    _epoch(now_),
                    uint32(now_.word >> 64),
                    _provenance(now_)
                )
            );
        // A path that reverts counts for nothing in halmos, so what has no digest must be told to be unlawful.
        if (!succeeded) return false;
        (bytes32 r, bytes32 s, uint8 v) = _parts(claim.proof, 31);
        uint256 enclave = uint256(vm.load(address(enclaves), keccak256(abi.encode(_authority(now_), ENCLAVES_SLOT))));
        return _all(
            _eq(ecrecover(abi.decode(answer, (bytes32)), v, r, s), _authority(now_)),
            _eq(enclave & 0xff, 1),
            _less(block.timestamp, uint40(enclave >> 16))
        );
    }

    function _controls(uint256 agentId) private view returns (bool) {
        address holder = tokens.ownerOf(agentId);
        bool granted = _any(_eq(sender, tokens.getApproved(agentId)), tokens.isApprovedForAll(holder, sender));
        return _all(
            _eq(watched, registry.agentOwner(agentId)),
            _not(_eq(holder, address(0))),
            _any(_eq(sender, holder), granted)
        );
    }

    /// @dev Read before the call: the owner's next number is part of what it signs.
    function _signed(bytes32 intent, uint256 deadline, bytes memory signature) private view returns (bool) {
        bytes32 domain = keccak256(
            abi.encode(DOMAIN, keccak256("XMTP TEE KeyRegistry"), keccak256("1"), block.chainid, address(registry))
        );
        (bytes32 r, bytes32 s, uint8 v) = _parts(signature, 0);
        address signer = ecrecover(keccak256(abi.encodePacked(hex"1901", domain, intent)), v, r, s);
        return _all(_eq(signer, SIGNER), _not(_less(deadline, block.timestamp)));
    }

    function _bundleIntent(bytes32 typeHash, Claim memory claim, uint256 deadline) private view returns (bytes32) {
        uint256 head = uint256(bytes32(claim.proof));
        return keccak256(
            abi.encode(
                typeHash,
                SIGNER,
                bytes32(claim.identityKey),
                bytes32(claim.preKey),
                uint32(head >> 48),
                uint40(head >> 8),
                uint8(head >> 240),
                address(uint160(head >> 80)),
                _nonce(),
                deadline
            )
        );
    }

    function _nonce() private view returns (uint256) {
        return _load(uint256(keccak256(abi.encode(SIGNER, NONCES_SLOT))));
    }

    function _parts(bytes memory signature, uint256 at) private pure returns (bytes32 r, bytes32 s, uint8 v) {
        assembly ("memory-safe") {
            let start := add(add(signature, 0x20), at)
            r := mload(start)
            s := mload(add(start, 32))
            v := byte(0, mload(add(start, 64)))
        }
    }

    // --- the calls -----------------------------------------------------------------------------------

    function _send(bytes memory call_) private returns (bool done) {
        vm.prank(sender);
        (done,) = address(registry).call(call_);
    }

    function _claim() private pure returns (Claim memory) {
        return Claim({
            identityKey: svm.createBytes(32, "identity_key"),
            preKey: svm.createBytes(32, "pre-key"),
            preKeySignature: svm.createBytes(64, "pre-key_signature"),
            proof: svm.createBytes(96, "proof")
        });
    }

    function _deadline() private pure returns (uint256) {
        return svm.createUint(256, "deadline");
    }

    function _signature() private pure returns (bytes memory) {
        return svm.createBytes(65, "signature");
    }

    function _bundleCall(bytes4 selector, Claim memory claim) private pure returns (bytes memory) {
        return abi.encodeWithSelector(selector, claim.identityKey, claim.preKey, claim.preKeySignature, claim.proof);
    }

    function _agentCall(bytes4 selector, uint256 agentId, Claim memory claim) private pure returns (bytes memory) {
        return
            abi.encodeWithSelector(
                selector, agentId, claim.identityKey, claim.preKey, claim.preKeySignature, claim.proof
            );
    }

    function _intentCall(bytes4 selector, Claim memory claim, uint256 deadline, bytes memory signature)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodeWithSelector(
            selector, SIGNER, claim.identityKey, claim.preKey, claim.preKeySignature, claim.proof, deadline, signature
        );
    }
}
