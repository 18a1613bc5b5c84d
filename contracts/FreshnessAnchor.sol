// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IFreshnessAnchor} from "./interfaces/IFreshnessAnchor.sol";

/// @title FreshnessAnchor
/// @notice How far an enclave's store has come; see {IFreshnessAnchor}.
contract FreshnessAnchor is IFreshnessAnchor, EIP712 {
    bytes32 private constant ANCHOR_TYPEHASH = keccak256("Anchor(address authority,uint64 epoch,bytes24 chain)");

    /// @dev One word: the chain in its upper 192 bits, the epoch in its lower 64.
    mapping(address authority => uint256 word) private _anchors;

    /// @notice Nothing to set: there is no owner and no parameter.
    constructor() EIP712("XMTP TEE FreshnessAnchor", "1") {}

    /// @inheritdoc IFreshnessAnchor
    function anchor(address authority, uint64 epoch, bytes24 chain, bytes calldata signature) external {
        uint64 anchored = uint64(_anchors[authority]);
        if (epoch <= anchored) revert AnchorNotNewer(authority, epoch, anchored);
        (address signer, ECDSA.RecoverError failure,) =
            ECDSA.tryRecoverCalldata(anchorDigest(authority, epoch, chain), signature);
        if (failure != ECDSA.RecoverError.NoError || signer != authority) revert AnchorSignatureInvalid(authority);
        _anchors[authority] = (uint256(uint192(chain)) << 64) | epoch;
        emit Anchored(authority, epoch, chain);
    }

    /// @inheritdoc IFreshnessAnchor
    function latest(address authority) external view returns (uint64 epoch, bytes24 chain) {
        uint256 word = _anchors[authority];
        return (uint64(word), bytes24(uint192(word >> 64)));
    }

    /// @inheritdoc IFreshnessAnchor
    function anchorDigest(address authority, uint64 epoch, bytes24 chain) public view returns (bytes32 digest) {
        return _hashTypedDataV4(keccak256(abi.encode(ANCHOR_TYPEHASH, authority, epoch, chain)));
    }
}
