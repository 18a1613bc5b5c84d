// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title IFreshnessAnchor
/// @notice How far an enclave's store has come, by the enclave's own word: whoever puts an older copy of the store
/// back, or lets two copies go on, is found out by everyone who compares the enclave with this.
///
/// Invariants: (1) only the authority's signature moves its anchor; (2) its epoch only grows; (3) nobody can remove
/// an anchor, and nothing here has an owner.
interface IFreshnessAnchor {
    /// @notice An authority's store has reached an epoch.
    /// @dev What a reader may rely on: (1) the authority has signed exactly this for this chain and contract;
    /// (2) no earlier event of this authority has an epoch as great.
    /// @param authority The enclave's authority, whose signature this is.
    /// @param epoch The number of the store's last mutation.
    /// @param chain The first 24 bytes of the keyed hash chain over all states of the store up to that epoch.
    event Anchored(address indexed authority, uint64 epoch, bytes24 chain);

    /// @notice The anchor stands at this epoch or behind it already.
    error AnchorNotNewer(address authority, uint64 epoch, uint64 anchored);

    /// @notice Another key, or nobody, has signed this anchor.
    error AnchorSignatureInvalid(address authority);

    /// @notice Moves an authority's anchor on; anyone may bring it.
    /// @dev Reverts: AnchorNotNewer, AnchorSignatureInvalid. Emits Anchored.
    /// @param authority Whose anchor it is.
    /// @param epoch Greater than the anchored one.
    /// @param chain See {Anchored}.
    /// @param signature The authority's, 65 bytes r || s || v, low s, over {anchorDigest}.
    function anchor(address authority, uint64 epoch, bytes24 chain, bytes calldata signature) external;

    /// @notice The anchor of an authority.
    /// @param authority The enclave's authority.
    /// @return epoch Zero if there is none.
    /// @return chain See {Anchored}; zero if there is none.
    function latest(address authority) external view returns (uint64 epoch, bytes24 chain);

    /// @notice What the authority signs: EIP-712, domain `XMTP TEE FreshnessAnchor`, version `1`, this chain and
    /// contract, type `Anchor(address authority,uint64 epoch,bytes24 chain)`.
    /// @param authority Whose anchor it is.
    /// @param epoch As in {anchor}.
    /// @param chain As in {anchor}.
    /// @return digest The 32 bytes.
    function anchorDigest(address authority, uint64 epoch, bytes24 chain) external view returns (bytes32 digest);
}
