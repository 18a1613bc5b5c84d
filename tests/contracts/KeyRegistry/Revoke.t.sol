// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IKeyBundles, KeyBundle, KeyState, Standing} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {RegistryFixture} from "../registry/RegistryFixture.sol";

/// @dev docs/SPECIFICATION.md, KeyRegistry, revokeKeyBundle.
contract KeyRegistryRevokeTest is RegistryFixture {
    Bundle private bundle;

    function setUp() public override {
        super.setUp();
        attest(authority);
        bundle = registered(owner, "first");
    }

    function test_a_revoked_bundle_is_readable_but_neither_listed_nor_trusted() external {
        vm.expectEmit(address(registry));
        emit IKeyBundles.KeyBundleRevoked(owner, bundle.identityKey, uint64(head()));
        revoke(owner, bundle.identityKey);
        KeyBundle memory stored = registry.getKeyBundle(owner, bundle.identityKey);
        assertThat(stored.state == KeyState.REVOKED, "revoked");
        assertSame(stored.preKey, bundle.preKey, "what it was stays readable");
        assertSame(registry.getKeyBundles(owner).length, 0, "not listed");
        (Standing standing, bytes4 reason) = registry.isTrusted(owner, bundle.identityKey);
        assertThat(standing == Standing.REVOKED && reason == 0, "not trusted, whatever the enclave's standing");
    }

    function test_the_other_bundles_stay_listed() external {
        Bundle memory second = registered(owner, "second");
        Bundle memory third = registered(owner, "third");
        revoke(owner, second.identityKey);
        KeyBundle[] memory listed = registry.getKeyBundles(owner);
        assertSame(listed.length, 2, "two left");
        assertSame(listed[0].identityKey, bundle.identityKey, "the first");
        assertSame(listed[1].identityKey, third.identityKey, "the third");
    }

    /// @dev The first bundle's word holds the owner's last change as well; the others are stored apart.
    function test_a_revocation_is_as_final_for_every_bundle_of_an_owner() external {
        Bundle memory second = registered(owner, "second");
        revoke(owner, second.identityKey);
        KeyBundle memory stored = registry.getKeyBundle(owner, second.identityKey);
        assertThat(stored.state == KeyState.REVOKED, "revoked");
        assertSame(stored.preKey, second.preKey, "what it was stays readable");
        assertThat(registry.keyState(owner, second.identityKey) == KeyState.REVOKED, "in every view");
        (Standing standing,) = registry.isTrusted(owner, second.identityKey);
        assertThat(standing == Standing.REVOKED, "not trusted");
        expectError(error(IKeyBundles.IdentityKeyNotActive.selector, owner, second.identityKey));
        revoke(owner, second.identityKey);
        assertThat(registry.keyState(owner, bundle.identityKey) == KeyState.ACTIVE, "the first is not touched");
    }

    function test_a_bundle_is_revoked_once() external {
        revoke(owner, bundle.identityKey);
        expectError(error(IKeyBundles.IdentityKeyNotActive.selector, owner, bundle.identityKey));
        revoke(owner, bundle.identityKey);
    }

    function test_an_unknown_bundle_is_not_revoked() external {
        expectError(error(IKeyBundles.IdentityKeyNotActive.selector, owner, bytes32(uint256(1))));
        revoke(owner, bytes32(uint256(1)));
    }

    function testFuzz_an_identity_key_of_another_length_is_refused(uint8 length) external {
        vm.assume(length != 32);
        expectError(abi.encodeWithSelector(IKeyBundles.IdentityKeyLength.selector, uint256(length)));
        vm.prank(owner);
        registry.revokeKeyBundle(new bytes(length));
    }

    function test_revocation_asks_no_enclave() external {
        vm.prank(admin);
        policy.removeWorkload(WORKLOAD);
        enclaves.invalidate(authority);
        vm.warp(time() + 3650 days);
        revoke(owner, bundle.identityKey);
    }

    function revoke(address sender, bytes32 identityKey) private {
        vm.prank(sender);
        registry.revokeKeyBundle(abi.encodePacked(identityKey));
    }
}
