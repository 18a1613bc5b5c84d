// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";

import {AssuranceLevel, TeeKind} from "../../../contracts/interfaces/AttestationTypes.sol";
import {IEnclavePolicy} from "../../../contracts/interfaces/IEnclavePolicy.sol";
import {
    IKeyAgents,
    IKeyBundles,
    IKeyDelegation,
    IKeyRegistry,
    IKeyViews,
    KeyBundle,
    KeyState,
    PublishedKey,
    Standing
} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {RegistryFixture} from "../registry/RegistryFixture.sol";

/// @dev docs/SPECIFICATION.md, KeyRegistry, views: what readers ask in one call.
contract KeyRegistryLookupTest is RegistryFixture {
    function setUp() public override {
        super.setUp();
        attest(authority);
    }

    function test_the_owners_bundle_is_the_active_one_at_the_lowest_position() external {
        KeyBundle memory none;
        assertSame(abi.encode(registry.getKeyBundle(owner)), abi.encode(none), "none: all zero");
        Bundle memory first = registered(owner, "first");
        Bundle memory second = registered(owner, "second");
        assertSame(registry.getKeyBundle(owner).identityKey, first.identityKey, "the first");
        revoke(first);
        assertSame(registry.getKeyBundle(owner).identityKey, second.identityKey, "then the second");
        revoke(second);
        assertSame(abi.encode(registry.getKeyBundle(owner)), abi.encode(none), "none again");
    }

    function test_one_call_answers_for_many_owners() external {
        Bundle memory first = registered(owner, "first");
        Bundle memory second = registered(owner, "second");
        Bundle memory others = registered(otherOwner, "first");
        revoke(registered(otherOwner, "revoked"));
        address[] memory owners = new address[](4);
        (owners[0], owners[1], owners[2], owners[3]) = (owner, stranger, otherOwner, owner);
        PublishedKey[][] memory keys = registry.lookupKeys(owners);
        assertSame(keys.length, 4, "each owner");
        assertSame(keys[0].length, 2, "two bundles");
        assertSame(keys[1].length, 0, "none");
        assertSame(keys[2].length, 1, "the active one");
        assertSame(keys[2][0].bundle.identityKey, others.identityKey, "the other owner's");
        assertSame(abi.encode(keys[3]), abi.encode(keys[0]), "asked twice, answered twice");
        assertSame(keys[0][1].bundle.identityKey, second.identityKey, "in the order of positions");
        PublishedKey memory expected = PublishedKey({
            bundle: registry.getKeyBundle(owner, first.identityKey),
            standing: Standing.TRUSTED,
            enclaveReason: 0,
            assurance: AssuranceLevel.MEMBER,
            tee: TeeKind.TDX,
            workload: WORKLOAD
        });
        assertSame(abi.encode(keys[0][0]), abi.encode(expected), "with its judgement");
    }

    function test_no_owner_no_answer() external view {
        assertSame(registry.lookupKeys(new address[](0)).length, 0, "nothing asked");
    }

    function test_an_expired_pre_key_leaves_the_identity_keys_assurance() external {
        Bundle memory bundle = registered(owner, "first");
        vm.warp(bundle.expiresAt);
        PublishedKey memory key = lookup(owner);
        assertThat(key.standing == Standing.PRE_KEY_EXPIRED, "expired");
        assertThat(key.assurance == AssuranceLevel.MEMBER, "the identity key stands");
    }

    function test_an_enclave_that_is_not_trusted_gives_no_assurance_but_stays_named() external {
        registered(owner, "first");
        vm.prank(admin);
        policy.removeWorkload(WORKLOAD);
        PublishedKey memory key = lookup(owner);
        assertThat(key.standing == Standing.ENCLAVE_NOT_TRUSTED, "not trusted");
        assertSame(key.enclaveReason, IEnclavePolicy.WorkloadNotTrusted.selector, "why");
        assertThat(key.assurance == AssuranceLevel.NONE, "claims nothing");
        assertThat(key.tee == TeeKind.TDX && key.workload == WORKLOAD, "as recorded");
    }

    function test_look_ups_and_trust_never_differ() external {
        Bundle memory bundle = registered(owner, "first");
        uint256[4] memory times = [START, bundle.expiresAt, START + TTL - 1, START + TTL];
        for (uint256 i = 0; i < times.length; ++i) {
            vm.warp(times[i]);
            PublishedKey memory key = lookup(owner);
            (Standing standing, bytes4 reason) = registry.isTrusted(owner, bundle.identityKey);
            assertThat(key.standing == standing && key.enclaveReason == reason, "the same judgement");
            assertThat(
                key.assurance == (standing < Standing.PRE_KEY_EXPIRED ? AssuranceLevel.NONE : AssuranceLevel.MEMBER),
                "the same assurance"
            );
        }
    }

    function test_look_ups_never_revert_whatever_the_verifier_does() external {
        registered(owner, "first");
        verifier.scriptBurn(PLATFORM);
        assertThat(lookup(owner).standing == Standing.ENCLAVE_NOT_TRUSTED, "burns");
        verifier.scriptRevert(PLATFORM, new bytes(100_000));
        assertThat(lookup(owner).standing == Standing.ENCLAVE_NOT_TRUSTED, "bombs");
        verifier.scriptReturn(PLATFORM, "");
        assertThat(lookup(owner).standing == Standing.ENCLAVE_NOT_TRUSTED, "says nothing");
    }

    function testFuzz_views_of_what_is_not_there_answer_none(address nobody, bytes32 identityKey) external view {
        assertThat(registry.keyState(nobody, identityKey) == KeyState.NONE, "no state");
        assertThat(registry.getKeyBundle(nobody, identityKey).state == KeyState.NONE, "no bundle");
        (Standing standing, bytes4 reason) = registry.isTrusted(nobody, identityKey);
        assertThat(standing == Standing.NONE && reason == 0, "no trust");
        assertSame(registry.lastChange(nobody) + registry.nonces(nobody), 0, "no history");
    }

    // --- ERC-165 -------------------------------------------------------------------------------------

    function test_supported_interfaces() external view {
        bytes4[7] memory supported = [
            type(IERC165).interfaceId,
            type(IERC5267).interfaceId,
            type(IKeyBundles).interfaceId,
            type(IKeyDelegation).interfaceId,
            type(IKeyAgents).interfaceId,
            type(IKeyViews).interfaceId,
            type(IKeyRegistry).interfaceId
        ];
        assertSame(type(IERC165).interfaceId, bytes4(0x01ffc9a7), "ERC-165");
        assertSame(type(IERC5267).interfaceId, bytes4(0x84b0196e), "ERC-5267");
        for (uint256 i = 0; i < supported.length; ++i) {
            assertThat(IERC165(address(registry)).supportsInterface(supported[i]), vm.toString(i));
        }
        assertThat(!IERC165(address(registry)).supportsInterface(0xffffffff), "never this one");
        assertThat(!IERC165(address(registry)).supportsInterface(0), "nor none");
    }

    function lookup(address owner_) private view returns (PublishedKey memory) {
        address[] memory owners = new address[](1);
        owners[0] = owner_;
        // As much as a node's eth_call, and not more: what burns gas must not burn the test's.
        return registry.lookupKeys{gas: 10_000_000}(owners)[0][0];
    }

    function revoke(Bundle memory bundle) private {
        vm.prank(bundle.owner);
        registry.revokeKeyBundle(abi.encodePacked(bundle.identityKey));
    }
}
