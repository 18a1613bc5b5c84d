// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {FreshnessAnchor} from "../../../contracts/FreshnessAnchor.sol";
import {IFreshnessAnchor} from "../../../contracts/interfaces/IFreshnessAnchor.sol";
import {Vm} from "../registry/Vm.sol";

/// @dev docs/THREAT_MODEL.md, rollback: the anchor moves by the authority's signature alone, and only forward.
contract FreshnessAnchorTest {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint256 private constant ENCLAVE_KEY = 0xE9C;
    uint256 private constant ATTACKER_KEY = 0xBAD;
    uint256 private constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    bytes24 private constant CHAIN = bytes24(keccak256("chain"));

    FreshnessAnchor private anchors;
    address private authority;

    error Failed(string what);

    function setUp() external {
        anchors = new FreshnessAnchor();
        authority = vm.addr(ENCLAVE_KEY);
    }

    function test_an_authority_without_an_anchor_has_none() external view {
        _same(authority, 0, 0);
    }

    function test_anyone_may_bring_the_authoritys_word() external {
        bytes memory signature = _signed(ENCLAVE_KEY, 7, CHAIN);
        vm.expectEmit(address(anchors));
        emit IFreshnessAnchor.Anchored(authority, 7, CHAIN);
        vm.prank(address(0xA11));
        anchors.anchor(authority, 7, CHAIN, signature);
        _same(authority, 7, CHAIN);
        _same(vm.addr(ATTACKER_KEY), 0, 0);
    }

    function testFuzz_the_epoch_only_grows(uint64 first, uint64 second, bytes24 one, bytes24 two) external {
        vm.assume(first != 0 && second != 0);
        anchors.anchor(authority, first, one, _signed(ENCLAVE_KEY, first, one));
        _same(authority, first, one);
        bytes memory signature = _signed(ENCLAVE_KEY, second, two);
        if (second <= first) {
            vm.expectRevert(abi.encodeWithSelector(IFreshnessAnchor.AnchorNotNewer.selector, authority, second, first));
            anchors.anchor(authority, second, two, signature);
            _same(authority, first, one);
        } else {
            anchors.anchor(authority, second, two, signature);
            _same(authority, second, two);
        }
    }

    function test_epoch_zero_is_no_anchor() external {
        bytes memory signature = _signed(ENCLAVE_KEY, 0, CHAIN);
        vm.expectRevert(abi.encodeWithSelector(IFreshnessAnchor.AnchorNotNewer.selector, authority, 0, 0));
        anchors.anchor(authority, 0, CHAIN, signature);
    }

    /// @dev Attack: somebody else's signature, or one over another state, chain or contract.
    function test_only_the_authoritys_signature_over_this_very_state_counts() external {
        bytes memory genuine = _signed(ENCLAVE_KEY, 7, CHAIN);
        _refused(7, CHAIN, _signed(ATTACKER_KEY, 7, CHAIN));
        _refused(8, CHAIN, genuine);
        _refused(7, bytes24(keccak256("fork")), genuine);
        bytes32 digest = new FreshnessAnchor().anchorDigest(authority, 7, CHAIN);
        _refused(7, CHAIN, _signedDigest(ENCLAVE_KEY, digest));
        vm.chainId(2);
        _refused(7, CHAIN, genuine);
    }

    /// @dev Attack: the second signature that every ECDSA signature has, and broken ones.
    function test_malleable_and_malformed_signatures_are_refused() external {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(ENCLAVE_KEY, anchors.anchorDigest(authority, 7, CHAIN));
        _refused(7, CHAIN, abi.encodePacked(r, bytes32(ORDER - uint256(s)), v == 27 ? uint8(28) : uint8(27)));
        _refused(7, CHAIN, abi.encodePacked(r, s));
        _refused(7, CHAIN, abi.encodePacked(r, s, v, uint8(0)));
        _refused(7, CHAIN, abi.encodePacked(r, s, uint8(v - 27)));
        _refused(7, CHAIN, "");
        _refused(7, CHAIN, new bytes(65));
    }

    /// @dev Attack: a broken signature recovers to the zero address.
    function test_the_zero_address_has_no_anchor() external {
        vm.expectRevert(abi.encodeWithSelector(IFreshnessAnchor.AnchorSignatureInvalid.selector, address(0)));
        anchors.anchor(address(0), 7, CHAIN, new bytes(65));
    }

    function test_the_digest_is_that_of_eip_712() external view {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("XMTP TEE FreshnessAnchor"),
                keccak256("1"),
                block.chainid,
                address(anchors)
            )
        );
        bytes32 struct_ = keccak256(
            abi.encode(keccak256("Anchor(address authority,uint64 epoch,bytes24 chain)"), authority, uint64(7), CHAIN)
        );
        bytes32 expected = keccak256(abi.encodePacked(hex"1901", domain, struct_));
        if (anchors.anchorDigest(authority, 7, CHAIN) != expected) revert Failed("digest");
    }

    function _refused(uint64 epoch, bytes24 chain, bytes memory signature) private {
        vm.expectRevert(abi.encodeWithSelector(IFreshnessAnchor.AnchorSignatureInvalid.selector, authority));
        anchors.anchor(authority, epoch, chain, signature);
        _same(authority, 0, 0);
    }

    function _signed(uint256 key, uint64 epoch, bytes24 chain) private view returns (bytes memory) {
        return _signedDigest(key, anchors.anchorDigest(authority, epoch, chain));
    }

    function _signedDigest(uint256 key, bytes32 digest) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function _same(address whose, uint64 epoch, bytes24 chain) private view {
        (uint64 gotEpoch, bytes24 gotChain) = anchors.latest(whose);
        if (gotEpoch != epoch || gotChain != chain) revert Failed("anchor");
    }
}
