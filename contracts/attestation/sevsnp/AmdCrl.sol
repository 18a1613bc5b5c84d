// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {RsaPss4096} from "../../crypto/RsaPss4096.sol";
import {Sha384} from "../../crypto/Sha384.sol";
import {Crl, RevocationList} from "../../encoding/Crl.sol";
import {Der} from "../../encoding/Der.sol";
import {AmdX509} from "./AmdX509.sol";

/// @notice What is read of a list of revoked ASKs and ASVKs.
/// @param issuer keccak256 of the issuer's DER name.
/// @param authorityKeyId The issuer's key id; zero where the list names none.
/// @param thisUpdate When it was issued, unix seconds.
/// @param serials The serial numbers of the revoked certificates, in the list's order.
struct AuthorityRevocations {
    bytes32 issuer;
    bytes20 authorityKeyId;
    uint40 thisUpdate;
    uint256[] serials;
}

/// @title AmdCrl
/// @notice Reads the revocation lists of AMD's roots (AMD 57230; RFC 5280, section 5): complete lists of version 2.
/// @dev WARNING: reading checks the signature and nothing else: no issuer, no time, no role. Its caller does.
library AmdCrl {
    using Der for bytes;

    /// @notice Reads a list that fills the array exactly and checks its signature.
    /// @param issuerModulus The issuer's RSA modulus, 512 bytes.
    function read(bytes memory der, bytes memory issuerModulus)
        internal
        view
        returns (AuthorityRevocations memory revocations)
    {
        (uint256 signed, uint256 end) = der.enter(0, der.length, Der.SEQUENCE);
        Der.finish(end, der.length);
        (uint256 offset, uint256 signedEnd) = der.enter(signed, end, Der.SEQUENCE);
        offset = Crl.version2(der, offset, signedEnd);
        offset = AmdX509.algorithm(der, offset, signedEnd);
        RevocationList memory list = Crl.content(der, offset, signedEnd);
        offset = AmdX509.algorithm(der, signedEnd, end);
        RsaPss4096.verify(
            issuerModulus, Sha384.hashSlice(der, signed, signedEnd), AmdX509.lastSignature(der, offset, end)
        );
        return AuthorityRevocations({
            issuer: list.issuer,
            authorityKeyId: list.authorityKeyId,
            thisUpdate: list.thisUpdate,
            serials: Crl.serials(der, list)
        });
    }
}
