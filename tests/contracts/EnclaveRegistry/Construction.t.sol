// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAttestationRouter} from "../../../contracts/interfaces/IAttestationRouter.sol";
import {IEnclaveRegistry} from "../../../contracts/interfaces/IEnclaveRegistry.sol";
import {RegistryFixture} from "../registry/RegistryFixture.sol";

/// @dev docs/SPECIFICATION.md, EnclaveRegistry, construction and administration.
contract EnclaveRegistryConstructionTest is RegistryFixture {
    function test_parameters_are_readable() external view {
        assertSame(address(enclaves.verifier()), address(router), "verifier");
        assertSame(address(enclaves.policy()), address(policy), "policy");
        assertSame(enclaves.maxBlockAge(), MAX_BLOCK_AGE, "block age");
        assertSame(enclaves.attestationTtl(), TTL, "lifetime");
    }

    function test_the_block_age_is_1_to_8191() external {
        expectError(abi.encodeWithSelector(IEnclaveRegistry.MaxBlockAgeOutOfRange.selector, uint256(0), uint256(8191)));
        newEnclaves(router, 0, TTL);
        expectError(
            abi.encodeWithSelector(IEnclaveRegistry.MaxBlockAgeOutOfRange.selector, uint256(8192), uint256(8191))
        );
        newEnclaves(router, 8192, TTL);
        assertSame(newEnclaves(router, 1, TTL).maxBlockAge(), 1, "shortest");
        assertSame(newEnclaves(router, 8191, TTL).maxBlockAge(), 8191, "longest");
    }

    function test_the_lifetime_is_1_second_to_365_days() external {
        expectError(
            abi.encodeWithSelector(IEnclaveRegistry.AttestationTtlOutOfRange.selector, uint64(0), uint64(365 days))
        );
        newEnclaves(router, 1, 0);
        expectError(
            abi.encodeWithSelector(
                IEnclaveRegistry.AttestationTtlOutOfRange.selector, uint64(365 days) + 1, uint64(365 days)
            )
        );
        newEnclaves(router, 1, 365 days + 1);
        assertSame(newEnclaves(router, 1, 1).attestationTtl(), 1, "shortest");
        assertSame(newEnclaves(router, 1, 365 days).attestationTtl(), 365 days, "longest");
    }

    function test_verifier_and_policy_must_be_contracts() external {
        expectError(abi.encodeWithSelector(IEnclaveRegistry.NotAContract.selector, stranger));
        newEnclaves(IAttestationRouter(stranger), 1, 1);
        expectError(abi.encodeWithSelector(IEnclaveRegistry.NotAContract.selector, stranger));
        create("EnclaveRegistry.sol:EnclaveRegistry", abi.encode(router, stranger, 1, 1));
    }

    function test_every_function_is_known() external view {
        string memory artifact =
            vm.readFile(vm.getArtifactPathByCode(vm.getCode("EnclaveRegistry.sol:EnclaveRegistry")));
        string[] memory functions = vm.parseJsonKeys(artifact, ".methodIdentifiers");
        string[19] memory known = [
            "assuranceCeiling()",
            "assuranceOf(address)",
            "attest(address,bytes32,uint64,bytes)", // anybody, by evidence
            "attestation(address,uint8)",
            "attestationTtl()",
            "bindingDigest(address,bytes32,uint256,bytes32)",
            "eip712Domain()",
            "enclave(address)",
            "invalidate(address)", // anybody, by a failure that is definite
            "maxBlockAge()",
            "policy()",
            "requireAttested(address)",
            "requireTrusted(address)",
            "retire(address,bytes)", // anybody, by the authority's signature
            "retirementDigest(address)",
            "revoke(address)", // the policy's owner
            "standing(address)",
            "supportsInterface(bytes4)",
            "verifier()"
        ];
        assertSame(functions.length, known.length, "as many functions as are known");
        for (uint256 i = 0; i < known.length; ++i) {
            assertSame(functions[i], known[i]);
        }
    }

    function testFuzz_supported_interfaces_are_these_three(bytes4 other) external view {
        assertThat(enclaves.supportsInterface(0x01ffc9a7), "ERC-165");
        assertThat(enclaves.supportsInterface(0x84b0196e), "ERC-5267");
        bytes4 own = type(IEnclaveRegistry).interfaceId;
        assertThat(enclaves.supportsInterface(own), "its own");
        assertThat(!enclaves.supportsInterface(0xffffffff), "never this one");
        bool known = other == 0x01ffc9a7 || other == 0x84b0196e || other == own;
        assertThat(enclaves.supportsInterface(other) == known, "and no other");
    }

    function assertSame(string memory got, string memory expected) private pure {
        assertSame(bytes(got), bytes(expected), expected);
    }
}
