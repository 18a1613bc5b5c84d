// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AttestedReport, TcbStatus, TeeKind} from "../../../contracts/interfaces/AttestationTypes.sol";
import {RegistryFixture} from "./RegistryFixture.sol";
import {ScriptedVerifier} from "./ScriptedVerifier.sol";

/// @title SeveralKinds
/// @notice The fixture's deployment with a verifier each for TDX, Nitro and SEV-SNP, and enclaves that make evidence of
/// all three. Each kind judges a platform of its own.
abstract contract SeveralKinds is RegistryFixture {
    uint8 internal constant TDX = uint8(1) << uint8(TeeKind.TDX);
    uint8 internal constant NITRO = uint8(1) << uint8(TeeKind.NITRO);
    uint8 internal constant SEV_SNP = uint8(1) << uint8(TeeKind.SEV_SNP);

    mapping(TeeKind kind => ScriptedVerifier) internal verifierOf;

    function setUp() public virtual override {
        super.setUp();
        TeeKind[] memory kinds = new TeeKind[](3);
        address[] memory verifiers = new address[](3);
        (kinds[0], kinds[1], kinds[2]) = (TeeKind.TDX, TeeKind.NITRO, TeeKind.SEV_SNP);
        for (uint256 i = 0; i < kinds.length; ++i) {
            verifierOf[kinds[i]] = i == 0 ? verifier : newVerifier(false);
            verifiers[i] = address(verifierOf[kinds[i]]);
            judgedBy(kinds[i], TcbStatus.UP_TO_DATE);
        }
        router = newRouter(kinds, verifiers);
        enclaves = newEnclaves(router, MAX_BLOCK_AGE, TTL);
        registry = newRegistry(address(enclaves), address(agents));
    }

    function platformOf(TeeKind kind) internal pure returns (bytes20) {
        return kind == TeeKind.TDX ? PLATFORM : bytes20(keccak256(abi.encode("platform", kind)));
    }

    /// @dev The platform of a kind stands so from now on.
    function judgedBy(TeeKind kind, TcbStatus status) internal {
        verifierOf[kind].scriptJudgement(platformOf(kind), judgement(status));
    }

    function reportBy(TeeKind kind, address authority_, uint256 blockNumber)
        internal
        view
        returns (AttestedReport memory report)
    {
        report = newReport(authority_, TRANSPORT_KEY, blockNumber);
        (report.tee, report.platform) = (kind, platformOf(kind));
    }

    /// @dev Evidence that the verifier of `kind` accepts as this report.
    function evidenceBy(TeeKind kind, AttestedReport memory report) internal returns (bytes memory) {
        bytes memory rest = abi.encode(report);
        verifierOf[kind].scriptEvidence(rest, report);
        return abi.encodePacked(uint8(kind), rest);
    }

    /// @dev Attests an enclave by a kind and the newest block.
    function attestBy(TeeKind kind, address authority_) internal {
        attestBy(kind, authority_, reportBy(kind, authority_, head() - 1));
    }

    function attestBy(TeeKind kind, address authority_, AttestedReport memory report) internal {
        bytes memory evidence = evidenceBy(kind, report);
        enclaves.attest(authority_, TRANSPORT_KEY, uint64(head() - 1), evidence);
    }

    function demand(uint8 required, uint8 kinds) internal {
        vm.prank(admin);
        policy.relaxKinds(required, kinds);
    }
}
