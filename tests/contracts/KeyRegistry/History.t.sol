// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IKeyBundles, KeyBundle, KeyState} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {BundleProof, RegistryFixture} from "../registry/RegistryFixture.sol";
import {Vm} from "../registry/Vm.sol";

/// @dev docs/SPECIFICATION.md, KeyRegistry, history: every change says where the change before it stands.
contract KeyRegistryHistoryTest is RegistryFixture {
    uint64 private constant UNKNOWN = type(uint32).max;

    function setUp() public override {
        super.setUp();
        attest(authority);
        vm.recordLogs();
    }

    function test_an_owner_without_a_change_has_none() external view {
        assertSame(registry.lastChange(stranger), 0, "none");
    }

    function test_the_chain_of_changes_leads_back_to_the_first() external {
        Bundle memory first = registered(owner, "first");
        expectLink(0);
        later();
        Bundle memory second = registered(owner, "second");
        expectLink(START_BLOCK);
        later();
        rotated(nextPreKey(second));
        expectLink(START_BLOCK + 1);
        later();
        rotated(nextPreKey(first));
        expectLink(START_BLOCK + 2);
        later();
        revoked(second);
        expectLink(START_BLOCK + 3);
        later();
        revoked(first);
        expectLink(START_BLOCK + 4);
        assertSame(registry.lastChange(owner), START_BLOCK + 5, "the newest");
    }

    function test_several_changes_in_one_block_name_this_block() external {
        Bundle memory first = registered(owner, "first");
        expectLink(0);
        rotated(nextPreKey(first));
        expectLink(START_BLOCK);
        registered(owner, "second");
        expectLink(START_BLOCK);
        revoked(first);
        expectLink(START_BLOCK);
        assertSame(registry.lastChange(owner), START_BLOCK, "this block");
    }

    function test_the_link_survives_the_revocation_of_every_bundle() external {
        Bundle memory first = registered(owner, "first");
        later();
        Bundle memory second = registered(owner, "second");
        later();
        revoked(first);
        later();
        revoked(second);
        expectLink(START_BLOCK + 2);
        assertSame(registry.getKeyBundles(owner).length, 0, "none active");
        assertSame(registry.getKeyBundle(owner).identityKey, bytes32(0), "none active");
        assertSame(registry.lastChange(owner), START_BLOCK + 3, "still known");
        later();
        registered(owner, "third");
        expectLink(START_BLOCK + 3);
        later();
        registered(owner, "fourth");
        expectLink(START_BLOCK + 4);
    }

    /// @dev Position 0 is reused by the next registration; what carried the link there before carries it no more.
    function test_the_first_position_is_reused_and_the_link_moves_with_it() external {
        Bundle memory first = registered(owner, "first");
        Bundle memory second = registered(owner, "second");
        revoked(first);
        later();
        Bundle memory third = registered(owner, "third");
        expectLink(START_BLOCK);
        KeyBundle[] memory listed = registry.getKeyBundles(owner);
        assertSame(listed.length, 2, "two");
        assertSame(listed[0].identityKey, third.identityKey, "the third at the first's place");
        assertSame(listed[1].identityKey, second.identityKey, "the second where it was");
        later();
        revoked(third);
        expectLink(START_BLOCK + 1);
        revoked(second);
        expectLink(START_BLOCK + 2);
        assertThat(registry.keyState(owner, first.identityKey) == KeyState.REVOKED, "still revoked");
        assertSame(registry.getKeyBundle(owner, first.identityKey).preKey, first.preKey, "still readable");
    }

    function test_owners_have_histories_of_their_own() external {
        registered(owner, "first");
        later();
        registered(otherOwner, "first");
        expectLink(0);
        assertSame(registry.lastChange(owner), START_BLOCK, "as it was");
    }

    function test_a_refused_act_and_a_cancellation_change_nothing() external {
        Bundle memory first = registered(owner, "first");
        later();
        BundleProof memory proof = proofOf(first, AUTHORITY_KEY);
        expectError(error(IKeyBundles.IdentityKeyAlreadyActive.selector, owner, first.identityKey));
        vm.prank(owner);
        register(first, proof);
        vm.prank(owner);
        registry.cancelSignatures();
        assertSame(registry.lastChange(owner), START_BLOCK, "no key has changed");
    }

    // --- saturation ----------------------------------------------------------------------------------

    function test_saturation_of_the_block_number() external {
        vm.roll(uint256(UNKNOWN) - 1);
        registered(owner, "first");
        assertSame(registry.lastChange(owner), UNKNOWN - 1, "the last block that is known");
        vm.roll(UNKNOWN);
        registered(owner, "second");
        expectLink(UNKNOWN - 1);
        assertSame(registry.lastChange(owner), UNKNOWN, "not known from here on");
        vm.roll(uint256(UNKNOWN) + 1_000_000);
        Bundle memory third = registered(owner, "third");
        expectLink(UNKNOWN);
        rotated(nextPreKey(third));
        expectLink(UNKNOWN);
        assertSame(registry.lastChange(owner), UNKNOWN, "saturated");
    }

    function testFuzz_the_link_never_disturbs_the_bundle(uint64 block_, uint24 epoch, uint32 expiresAt) external {
        vm.assume(epoch > 1 && expiresAt > START);
        Bundle memory first = registered(owner, "first");
        vm.roll(uint256(block_) + START_BLOCK);
        Bundle memory next = nextPreKey(first);
        (next.epoch, next.expiresAt) = (epoch, expiresAt);
        rotated(next);
        KeyBundle memory shown = registry.getKeyBundle(owner, first.identityKey);
        assertSame(
            abi.encode(shown),
            abi.encode(
                KeyBundle({
                    identityKey: first.identityKey,
                    preKey: next.preKey,
                    authority: authority,
                    epoch: epoch,
                    expiresAt: expiresAt,
                    provenance: first.provenance,
                    state: KeyState.ACTIVE
                })
            ),
            "the bundle"
        );
        uint256 number = uint256(block_) + START_BLOCK;
        assertSame(registry.lastChange(owner), number < UNKNOWN ? number : UNKNOWN, "the link");
    }

    // --- the layout that storage proofs rely on --------------------------------------------------------

    function test_the_storage_layout_is_the_documented_one() external {
        Bundle memory first = registered(owner, "first");
        Bundle memory second = registered(owner, "second");
        bytes32 positions = keccak256(abi.encode(owner, uint256(4)));
        assertSame(vm.load(address(registry), positions), first.identityKey, "position 0");
        assertSame(vm.load(address(registry), bytes32(uint256(positions) + 1)), second.identityKey, "position 1");
        assertWord(first, 0, uint32(head()));
        assertWord(second, 1, 0);
        vm.prank(owner);
        registry.cancelSignatures();
        assertSame(uint256(vm.load(address(registry), keccak256(abi.encode(owner, uint256(5))))), 2 ** 64, "nonce");
    }

    function test_the_storage_layout_of_agents_is_the_documented_one() external {
        vm.startPrank(owner);
        agents.register();
        uint256 agent = agents.register();
        vm.stopPrank();
        address handle = registry.agentOwner(agent);
        Bundle memory bundle = newBundle(handle, "first");
        bytes memory proof = encode(proofOf(bundle, AUTHORITY_KEY));
        vm.prank(owner);
        registry.registerKeyBundleWithAttestationForAgent(
            agent, abi.encodePacked(bundle.identityKey), abi.encodePacked(bundle.preKey), bundle.preKeySignature, proof
        );
        bytes32 holder = keccak256(abi.encode(bundle.identityKey, keccak256(abi.encode(handle, uint256(6)))));
        assertSame(address(uint160(uint256(vm.load(address(registry), holder)))), owner, "holder");
        assertSame(uint256(vm.load(address(registry), keccak256(abi.encode(handle, uint256(7))))), agent, "agent");
    }

    function assertWord(Bundle memory bundle, uint8 position, uint32 lastChange) private view {
        bytes32 record = keccak256(abi.encode(bundle.identityKey, keccak256(abi.encode(owner, uint256(3)))));
        assertSame(vm.load(address(registry), record), bundle.preKey, "the pre-key");
        uint256 word = uint256(vm.load(address(registry), bytes32(uint256(record) + 1)));
        uint256 expected = (uint256(uint160(authority)) << 96) | (uint256(bundle.expiresAt) << 64)
            | (uint256(bundle.epoch) << 40) | (uint256(lastChange) << 8) | (uint256(position) << 4)
            | (uint256(bundle.provenance) << 2) | 1;
        assertSame(word, expected, "the word");
    }

    // --- helpers -------------------------------------------------------------------------------------

    function later() private {
        roll(head() + 1);
    }

    function rotated(Bundle memory next) private {
        BundleProof memory proof = proofOf(next, AUTHORITY_KEY);
        vm.prank(next.owner);
        rotate(next, proof);
    }

    function revoked(Bundle memory bundle) private {
        vm.prank(bundle.owner);
        registry.revokeKeyBundle(abi.encodePacked(bundle.identityKey));
    }

    /// @dev The newest event names this block as the change before it.
    function expectLink(uint256 previousChange) private {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        Vm.Log memory last = logs[logs.length - 1];
        uint256 word = 0; // KeyBundleRevoked
        if (last.topics[0] == IKeyBundles.KeyBundleRegistered.selector) word = 5;
        else if (last.topics[0] == IKeyBundles.PreKeyRotated.selector) word = 4;
        else assertSame(last.topics[0], IKeyBundles.KeyBundleRevoked.selector, "a key event");
        bytes memory data = last.data;
        uint256 linked;
        assembly {
            linked := mload(add(add(data, 0x20), shl(5, word)))
        }
        assertSame(linked, previousChange, "linked");
    }
}
