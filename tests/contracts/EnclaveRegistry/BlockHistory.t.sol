// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BlockHistory} from "../../../contracts/attestation/BlockHistory.sol";
import {Checked} from "../registry/Vm.sol";

/// @dev docs/SPECIFICATION.md, BlockHistory: BLOCKHASH for 256 blocks, EIP-2935's contract for 8191.
contract BlockHistoryTest is Checked {
    address private constant HISTORY = 0x0000F90827F1C53a10cb7A02335B175320002935;
    /// @dev The runtime code that EIP-2935 specifies.
    bytes private constant HISTORY_CODE =
        hex"3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257611fff81430311604257611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500";
    uint256 private constant HEAD = 100_000;

    function setUp() public {
        vm.roll(HEAD);
        vm.etch(HISTORY, HISTORY_CODE);
    }

    function test_the_last_256_blocks_need_no_history_contract() external {
        vm.etch(HISTORY, "");
        vm.setBlockhash(HEAD - 1, keccak256("newest"));
        vm.setBlockhash(HEAD - 256, keccak256("oldest"));
        assertSame(this.hashOf(HEAD - 1), keccak256("newest"), "1 block ago");
        assertSame(this.hashOf(HEAD - 256), keccak256("oldest"), "256 blocks ago");
    }

    function test_older_blocks_come_out_of_the_ring_up_to_8191() external {
        remember(HEAD - 257, keccak256("257"));
        remember(HEAD - 8191, keccak256("8191"));
        assertSame(this.hashOf(HEAD - 257), keccak256("257"), "257 blocks ago");
        assertSame(this.hashOf(HEAD - 8191), keccak256("8191"), "8191 blocks ago");
    }

    function test_what_has_left_the_ring_is_unavailable() external {
        remember(HEAD - 8192, keccak256("8192"));
        unavailable(HEAD - 8192);
        unavailable(0);
    }

    function test_a_block_before_the_history_began_is_unavailable() external {
        unavailable(HEAD - 300);
    }

    function test_a_chain_without_the_history_contract_knows_256_blocks() external {
        vm.etch(HISTORY, "");
        unavailable(HEAD - 257);
    }

    function test_present_and_future_blocks_are_unavailable() external {
        unavailable(HEAD);
        unavailable(HEAD + 1);
        unavailable(type(uint256).max);
    }

    function testFuzz_recent_is_in_the_past_and_within_the_age(uint256 number, uint256 maxAge) external {
        number = number % (HEAD + 1000);
        maxAge = 1 + maxAge % 8191;
        if (number >= HEAD) {
            expectError(abi.encodeWithSelector(BlockHistory.BlockNotYetMined.selector, number, HEAD));
        } else if (HEAD - number > maxAge) {
            expectError(abi.encodeWithSelector(BlockHistory.BlockTooOld.selector, number, HEAD - maxAge));
        }
        this.requireRecent(number, maxAge);
    }

    function hashOf(uint256 number) external view returns (bytes32) {
        return BlockHistory.hashOf(number);
    }

    function requireRecent(uint256 number, uint256 maxAge) external view {
        BlockHistory.requireRecent(number, maxAge);
    }

    function remember(uint256 number, bytes32 hash) private {
        vm.store(HISTORY, bytes32(number % 8191), hash);
    }

    function unavailable(uint256 number) private {
        expectError(abi.encodeWithSelector(BlockHistory.BlockHashUnavailable.selector, number));
        this.hashOf(number);
    }
}
