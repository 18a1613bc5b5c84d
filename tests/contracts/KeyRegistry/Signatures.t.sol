// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IKeyBundles, IKeyDelegation, KeyState, Registration} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {HostileFactory, KeyWallet, ScriptedWallet, WalletFactory} from "../registry/Wallets.sol";
import {DelegationFixture} from "./DelegationFixture.sol";

/// @dev docs/SPECIFICATION.md, KeyRegistry, delegation: whose signature counts, and the attacks on it by name.
contract KeyRegistrySignaturesTest is DelegationFixture {
    bytes4 private constant REGISTER_FOR = IKeyDelegation.registerKeyBundleWithAttestationFor.selector;

    WalletFactory private factory;
    HostileFactory private hostile;
    ScriptedWallet private scripted;

    function setUp() public override {
        super.setUp();
        factory = new WalletFactory();
        hostile = new HostileFactory();
        scripted = new ScriptedWallet();
    }

    // --- replay --------------------------------------------------------------------------------------

    function test_replay_of_a_signature_that_has_acted() external {
        Bundle memory bundle = newBundle(signer, "first");
        bytes memory signature = registrationBy(SIGNER_KEY, bundle);
        registerFor(bundle, signature);
        refuseRegistration(bundle, signature, invalid(signer));
        Bundle memory next = nextPreKey(bundle);
        signature = rotationBy(SIGNER_KEY, next);
        rotateFor(next, signature);
        refuseRotation(next, signature, invalid(signer));
        signature = revocationBy(SIGNER_KEY, bundle);
        revokeFor(bundle, signature);
        expectInvalid(signer);
        revokeFor(bundle, signature);
    }

    function test_replay_on_another_chain() external {
        Bundle memory bundle = newBundle(signer, "first");
        bytes memory signature = registrationBy(SIGNER_KEY, bundle);
        vm.chainId(block.chainid + 1);
        refuseRegistration(bundle, signature, invalid(signer));
    }

    function test_replay_on_another_registry() external {
        Bundle memory bundle = newBundle(signer, "first");
        bytes memory signature = registrationBy(SIGNER_KEY, bundle);
        registry = newRegistry(address(enclaves), address(agents));
        refuseRegistration(bundle, signature, invalid(signer));
    }

    function test_replay_for_another_owner() external {
        Bundle memory bundle = newBundle(signer, "first");
        bytes memory signature = registrationBy(SIGNER_KEY, bundle);
        bundle.owner = otherSigner;
        refuseRegistration(bundle, signature, invalid(otherSigner));
        bundle.owner = attacker;
        refuseRegistration(bundle, signature, invalid(attacker));
        bundle.owner = address(0);
        refuseRegistration(bundle, signature, invalid(address(0)));
    }

    function test_replay_as_another_act() external {
        Bundle memory bundle = registered(signer, "first");
        Bundle memory next = nextPreKey(bundle);
        refuseRotation(next, registrationBy(SIGNER_KEY, next), invalid(signer));
        bytes memory rotation = rotationBy(SIGNER_KEY, next);
        refuseRegistration(next, rotation, invalid(signer));
        expectInvalid(signer);
        revokeFor(bundle, rotation);
        // An owner's certificate is no signature of the owner either.
        refuseRotation(next, certify(next, SIGNER_KEY), invalid(signer));
    }

    function testFuzz_one_changed_value_of_what_the_owner_signed(uint8 field, uint64 change) external {
        vm.assume(change != 0);
        Bundle memory bundle = newBundle(signer, "first");
        bytes memory signature = registrationBy(SIGNER_KEY, bundle);
        if (field % 5 == 0) bundle.identityKey ^= bytes32(uint256(change));
        if (field % 5 == 1) bundle.preKey ^= bytes32(uint256(change));
        if (field % 5 == 2) bundle.epoch += 1 + change % 1000;
        if (field % 5 == 3) bundle.expiresAt += 1 + change % 1000;
        if (field % 5 == 4) deadline += change;
        refuseRegistration(bundle, signature, invalid(signer));
    }

    /// @dev The enclave is part of what the owner signs: another one, trusted as well, is no stand-in.
    function test_another_enclaves_certificate_under_the_owners_signature() external {
        attest(otherAuthority);
        Bundle memory bundle = newBundle(signer, "first");
        Registration memory entry = entryOf(bundle, registrationBy(SIGNER_KEY, bundle));
        entry.attestationProof = encode(proofOf(bundle, OTHER_AUTHORITY_KEY));
        assertSame(refusalOf(REGISTER_FOR, entry), invalid(signer), "not what was signed");
    }

    function test_a_signature_without_the_enclaves_certificate() external {
        Bundle memory bundle = newBundle(signer, "first");
        Registration memory entry = entryOf(bundle, registrationBy(SIGNER_KEY, bundle));
        entry.preKeySignature = new bytes(64); // not what the enclave certified
        bytes memory reason = refusalOf(REGISTER_FOR, entry);
        assertSame(bytes4(reason), IKeyBundles.CertificateSignerMismatch.selector, "the certificate");
        assertSame(registry.nonces(signer), 0, "the signature has not acted");
    }

    // --- form ----------------------------------------------------------------------------------------

    function test_signature_malleability_high_s() external {
        Bundle memory bundle = newBundle(signer, "first");
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(SIGNER_KEY, intentOf("RegisterKeyBundle", bundle, authority, 0, deadline));
        bytes memory malleated = abi.encodePacked(r, bytes32(CURVE_ORDER - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        refuseRegistration(bundle, malleated, invalid(signer));
    }

    function test_a_compact_signature_of_64_bytes() external {
        Bundle memory bundle = newBundle(signer, "first");
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(SIGNER_KEY, intentOf("RegisterKeyBundle", bundle, authority, 0, deadline));
        refuseRegistration(bundle, abi.encodePacked(r, bytes32(uint256(s) | (uint256(v - 27) << 255))), invalid(signer));
    }

    function testFuzz_noise_as_a_signature(bytes calldata noise) external {
        // What is marked is a wrapper, and has refusals of its own.
        vm.assume(noise.length < 32 || bytes32(noise[noise.length - 32:]) != MARK);
        Bundle memory bundle = newBundle(signer, "first");
        refuseRegistration(bundle, noise, invalid(signer));
    }

    // --- ERC-1271 ------------------------------------------------------------------------------------

    function test_an_owner_with_code_is_asked() external {
        address wallet = factory.make(signer);
        Bundle memory bundle = newBundle(wallet, "first");
        registerFor(bundle, registrationBy(SIGNER_KEY, bundle));
        Bundle memory next = nextPreKey(bundle);
        refuseRotation(next, rotationBy(OTHER_SIGNER_KEY, next), invalid(wallet));
        rotateFor(next, rotationBy(SIGNER_KEY, next));
        revokeFor(bundle, revocationBy(SIGNER_KEY, bundle));
        assertThat(registry.keyState(wallet, bundle.identityKey) == KeyState.REVOKED, "all three");
    }

    function test_an_owner_with_code_that_does_not_accept() external {
        Bundle memory bundle = newBundle(address(scripted), "first");
        ScriptedWallet.Manner[4] memory manners = [
            ScriptedWallet.Manner.REFUSE,
            ScriptedWallet.Manner.REVERT,
            ScriptedWallet.Manner.BOMB,
            ScriptedWallet.Manner.SHORT
        ];
        for (uint256 i = 0; i < manners.length; ++i) {
            scripted.script(manners[i]);
            refuseRegistration(bundle, "", invalid(address(scripted)));
        }
        scripted.script(ScriptedWallet.Manner.ACCEPT);
        registerFor(bundle, "");
    }

    function test_an_owner_with_code_that_knows_no_erc1271() external {
        bytes memory refused = invalid(address(agents));
        refuseRegistration(newBundle(address(agents), "first"), "", refused);
        refuseRegistration(newBundle(address(registry), "first"), "", invalid(address(registry)));
    }

    function test_reentrancy_through_erc1271() external {
        Bundle memory bundle = newBundle(address(scripted), "first");
        Registration memory entry = entryOf(bundle, "");
        // The same act again, another act, and a mere cancellation: a static call lets none of them in.
        scripted.scriptReentry(address(registry), callOf(REGISTER_FOR, entry));
        refuseRegistration(bundle, "", invalid(address(scripted)));
        scripted.scriptReentry(
            address(registry), abi.encodeCall(IKeyBundles.revokeKeyBundle, (abi.encodePacked(bundle.identityKey)))
        );
        refuseRegistration(bundle, "", invalid(address(scripted)));
        scripted.scriptReentry(address(registry), abi.encodeCall(IKeyDelegation.cancelSignatures, ()));
        refuseRegistration(bundle, "", invalid(address(scripted)));
    }

    // --- ERC-6492 ------------------------------------------------------------------------------------

    function test_an_owner_that_is_not_deployed_yet_is_deployed_and_asked() external {
        address wallet = factory.addressOf(signer);
        Bundle memory bundle = newBundle(wallet, "first");
        registerFor(bundle, wrappedBy(bundle, SIGNER_KEY));
        assertThat(wallet.code.length != 0, "deployed on the way");
        assertThat(registry.keyState(wallet, bundle.identityKey) == KeyState.ACTIVE, "registered");
        assertSame(registry.nonces(wallet), 1, "acted once");
    }

    function test_a_wrapper_for_an_owner_that_is_deployed_calls_no_factory() external {
        address wallet = factory.make(signer);
        Bundle memory bundle = newBundle(wallet, "first");
        bytes memory factoryCall = abi.encodeCall(
            HostileFactory.callAndMake,
            (address(scripted), abi.encodeCall(ScriptedWallet.script, (ScriptedWallet.Manner.BURN)), signer)
        );
        registerFor(bundle, wrapped(address(hostile), factoryCall, registrationBy(SIGNER_KEY, bundle)));
        assertThat(scripted.manner() == ScriptedWallet.Manner.ACCEPT, "not called");
    }

    function test_a_failure_after_the_deployment_leaves_nothing_deployed() external {
        address wallet = factory.addressOf(signer);
        Bundle memory bundle = newBundle(wallet, "first");
        refuseRegistration(bundle, wrappedBy(bundle, OTHER_SIGNER_KEY), invalid(wallet));
        assertSame(wallet.code.length, 0, "not deployed");
        judgedLapsed();
        assertSame(
            bytes4(refusalOf(REGISTER_FOR, entryOf(bundle, wrappedBy(bundle, SIGNER_KEY)))),
            bytes4(keccak256("EnclaveNotTrusted(address,bytes4)")),
            "refused at the very end"
        );
        assertSame(wallet.code.length, 0, "not deployed either");
    }

    function test_a_forged_wrapper_whose_factory_deploys_something_else() external {
        // The wallet of the attacker's key is deployed; the owner is another address.
        Bundle memory bundle = newBundle(factory.addressOf(signer), "first");
        bytes memory factoryCall = abi.encodeCall(WalletFactory.make, (otherSigner));
        refuseRegistration(
            bundle,
            wrapped(address(factory), factoryCall, registrationBy(OTHER_SIGNER_KEY, bundle)),
            abi.encodeWithSelector(IKeyDelegation.OwnerNotDeployed.selector, bundle.owner, address(factory))
        );
    }

    function test_a_forged_wrapper_for_an_owner_without_code() external {
        Bundle memory bundle = newBundle(signer, "first");
        bytes memory signature = registrationBy(SIGNER_KEY, bundle);
        // Its own signature, but as a wrapper: a key account is never deployed.
        refuseRegistration(
            bundle,
            wrapped(address(factory), abi.encodeCall(WalletFactory.make, (attacker)), signature),
            abi.encodeWithSelector(IKeyDelegation.OwnerNotDeployed.selector, signer, address(factory))
        );
        registerFor(bundle, signature);
    }

    /// @dev What the factory is made to call sees a sender without rights: not the registry, not the relayer.
    function test_a_forged_wrapper_gets_no_power_over_the_registry() external {
        Bundle memory victim = registered(owner, "victim");
        bytes32 before = fingerprint(owner, victim.identityKey);
        address wallet = hostile.addressOf(signer);
        Bundle memory bundle = newBundle(wallet, "first");
        bytes memory inner = registrationBy(SIGNER_KEY, bundle);
        bytes[4] memory calls = [
            abi.encodeCall(IKeyBundles.revokeKeyBundle, (abi.encodePacked(victim.identityKey))),
            abi.encodeWithSignature("pause()"),
            abi.encodeWithSignature("unpause()"),
            callOf(REGISTER_FOR, entryOf(newBundle(owner, "second"), ""))
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            uint256 snapshot = vm.snapshotState();
            bytes memory factoryCall = abi.encodeCall(HostileFactory.callAndMake, (address(registry), calls[i], signer));
            registerFor(bundle, wrapped(address(hostile), factoryCall, inner));
            assertThat(!hostile.accepted(), "the factory's call was refused");
            assertSame(fingerprint(owner, victim.identityKey), before, "the victim is untouched");
            vm.revertToState(snapshot);
        }
        // Straight at the registry, from the deployer that the registry uses: nobody's account.
        bytes memory direct = wrapped(address(registry), calls[0], inner);
        refuseRegistration(
            bundle, direct, abi.encodeWithSelector(IKeyDelegation.OwnerNotDeployed.selector, wallet, address(registry))
        );
        assertSame(fingerprint(owner, victim.identityKey), before, "the victim is untouched");
    }

    /// @dev A factory may call back with another signature of the same owner; each still acts once, in its turn.
    function test_reentrancy_through_a_factory() external {
        address wallet = hostile.addressOf(signer);
        Bundle memory bundle = newBundle(wallet, "first");
        bytes memory make = abi.encodeCall(WalletFactory.make, (signer));
        bytes memory again =
            callOf(REGISTER_FOR, entryOf(bundle, wrapped(address(hostile), make, registrationBy(SIGNER_KEY, bundle))));
        bytes memory factoryCall = abi.encodeCall(HostileFactory.callAndMake, (address(registry), again, signer));
        // The inner call deploys and registers; then the factory cannot deploy again, and the outer is a replay.
        refuseRegistration(
            bundle,
            wrapped(address(hostile), factoryCall, registrationBy(SIGNER_KEY, bundle)),
            abi.encodeWithSelector(IKeyDelegation.OwnerNotDeployed.selector, wallet, address(hostile))
        );
    }

    function test_reentrancy_through_a_factory_acts_as_if_it_had_come_before() external {
        address wallet = hostile.addressOf(signer);
        bytes memory make = abi.encodeCall(WalletFactory.make, (signer));
        Bundle memory first = newBundle(wallet, "first");
        bytes memory signature = wrapped(
            address(hostile), make, signed(SIGNER_KEY, intentOf("RegisterKeyBundle", first, authority, 0, deadline))
        );
        bytes memory factoryCall = abi.encodeCall(
            HostileFactory.callOnly, (address(registry), callOf(REGISTER_FOR, entryOf(first, signature)))
        );
        // The same number twice: the inner has used it up, and falls with the outer.
        refuseRegistration(
            first, wrapped(address(hostile), factoryCall, registrationBy(SIGNER_KEY, first)), invalid(wallet)
        );
        assertSame(wallet.code.length, 0, "the inner one fell too");
        // The next number: as if the inner had been a transaction before.
        Bundle memory second = newBundle(wallet, "second");
        bytes memory next = signed(SIGNER_KEY, intentOf("RegisterKeyBundle", second, authority, 1, deadline));
        registerFor(second, wrapped(address(hostile), factoryCall, next));
        assertSame(registry.getKeyBundle(wallet).identityKey, first.identityKey, "the inner came first");
        assertSame(registry.getKeyBundles(wallet).length, 2, "both");
        assertSame(registry.nonces(wallet), 2, "two have acted");
    }

    function test_a_factory_that_fails_after_deploying() external {
        address wallet = hostile.addressOf(signer);
        Bundle memory bundle = newBundle(wallet, "first");
        bytes memory factoryCall = abi.encodeCall(HostileFactory.makeAndFail, (signer));
        refuseRegistration(
            bundle,
            wrapped(address(hostile), factoryCall, registrationBy(SIGNER_KEY, bundle)),
            abi.encodeWithSelector(IKeyDelegation.OwnerNotDeployed.selector, wallet, address(hostile))
        );
    }

    function testFuzz_a_malformed_wrapper(bytes calldata noise) external {
        vm.assume(noise.length < 96);
        refuseRegistration(
            newBundle(factory.addressOf(signer), "first"),
            abi.encodePacked(noise, MARK),
            abi.encodePacked(IKeyDelegation.CounterfactualSignatureMalformed.selector)
        );
    }

    function testFuzz_a_wrapper_with_a_wild_word(uint8 word, uint256 value) external {
        Bundle memory bundle = newBundle(factory.addressOf(signer), "first");
        bytes memory body = abi.encode(
            address(factory), abi.encodeCall(WalletFactory.make, (signer)), registrationBy(SIGNER_KEY, bundle)
        );
        // 0 the factory, 1 and 2 offsets, 3 and 6 lengths.
        uint256[5] memory wild = [uint256(0), 1, 2, 3, 6];
        uint256 at = wild[word % 5];
        vm.assume(value > (at == 0 ? type(uint160).max : body.length));
        assembly {
            mstore(add(add(body, 0x20), shl(5, at)), value)
        }
        refuseRegistration(
            bundle,
            abi.encodePacked(body, MARK),
            abi.encodePacked(IKeyDelegation.CounterfactualSignatureMalformed.selector)
        );
    }

    /// @dev Every number of 160 bits is an address, the greatest too.
    function test_a_factory_at_the_last_address_that_deploys_nothing() external {
        address last = address(type(uint160).max);
        Bundle memory bundle = newBundle(factory.addressOf(signer), "first");
        refuseRegistration(
            bundle,
            wrapped(last, "", registrationBy(SIGNER_KEY, bundle)),
            abi.encodeWithSelector(IKeyDelegation.OwnerNotDeployed.selector, bundle.owner, last)
        );
    }

    function test_the_mark_alone_is_a_malformed_wrapper() external {
        refuseRegistration(
            newBundle(factory.addressOf(signer), "first"),
            abi.encodePacked(MARK),
            abi.encodePacked(IKeyDelegation.CounterfactualSignatureMalformed.selector)
        );
    }

    /// @dev Three zeros: no factory, and both offsets lead to a length of zero.
    function test_the_shortest_wrapper_is_96_bytes() external {
        Bundle memory bundle = newBundle(factory.addressOf(signer), "first");
        refuseRegistration(
            bundle,
            abi.encodePacked(new bytes(96), MARK),
            abi.encodeWithSelector(IKeyDelegation.OwnerNotDeployed.selector, bundle.owner, address(0))
        );
        refuseRegistration(
            bundle,
            abi.encodePacked(new bytes(95), MARK),
            abi.encodePacked(IKeyDelegation.CounterfactualSignatureMalformed.selector)
        );
    }

    /// @dev Both offsets lead to the wrapper's last word, a length of zero: that is wholly inside.
    function test_a_part_without_bytes_may_stand_at_the_wrappers_end() external {
        Bundle memory bundle = newBundle(factory.addressOf(signer), "first");
        refuseRegistration(
            bundle,
            abi.encodePacked(abi.encode(address(factory), uint256(96), uint256(96), uint256(0)), MARK),
            abi.encodeWithSelector(IKeyDelegation.OwnerNotDeployed.selector, bundle.owner, address(factory))
        );
    }

    /// @dev Words 1 and 2 are offsets, 3 and 6 the lengths that stand there (at 96 and 192).
    function test_a_wrapper_whose_parts_end_a_byte_behind_it() external {
        Bundle memory bundle = newBundle(factory.addressOf(signer), "first");
        bytes memory body = abi.encode(
            address(factory), abi.encodeCall(WalletFactory.make, (signer)), registrationBy(SIGNER_KEY, bundle)
        );
        uint256 room = body.length - 32;
        bytes memory malformed = abi.encodePacked(IKeyDelegation.CounterfactualSignatureMalformed.selector);
        refuseRegistration(bundle, withWord(body, 1, room + 1), malformed);
        refuseRegistration(bundle, withWord(body, 2, room + 1), malformed);
        refuseRegistration(bundle, withWord(body, 3, room - 96 + 1), malformed);
        refuseRegistration(bundle, withWord(body, 6, room - 192 + 1), malformed);
        // The greatest length: the call goes on to the wrapper's end, which the wallet's factory does not mind.
        registerFor(bundle, withWord(body, 3, room - 96));
        assertSame(registry.getKeyBundles(bundle.owner).length, 1, "registered");
    }

    function withWord(bytes memory body, uint256 at, uint256 value) private pure returns (bytes memory) {
        bytes memory changed = abi.encodePacked(body);
        assembly {
            mstore(add(add(changed, 0x20), shl(5, at)), value)
        }
        return abi.encodePacked(changed, MARK);
    }

    function wrappedBy(Bundle memory bundle, uint256 key) private view returns (bytes memory) {
        return wrapped(address(factory), abi.encodeCall(WalletFactory.make, (signer)), registrationBy(key, bundle));
    }

    function judgedLapsed() private {
        verifier.scriptRevert(PLATFORM, abi.encodeWithSignature("CollateralLapsed()"));
    }
}
