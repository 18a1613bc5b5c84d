// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IKeyBundles} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {RegistryFixture} from "../registry/RegistryFixture.sol";
import {Vm} from "../registry/Vm.sol";

/// @dev Whole-transaction gas with all storage cold: intrinsic gas, calldata (EIP-7623), execution, refund.
/// The scripted verifier's `judgePlatform` costs about as much as five storage reads; a real one adds what
/// judging collateral costs to a registration, and nothing to a rotation or a revocation.
contract KeyRegistryGasTest is RegistryFixture {
    Bundle private bundle;

    function setUp() public override {
        super.setUp();
        attest(authority);
        bundle = registered(owner, "first");
    }

    function test_gas_register_certified() external {
        Bundle memory first = newBundle(otherOwner, "first");
        uint256 used = measure(
            otherOwner,
            abi.encodeCall(
                IKeyBundles.registerKeyBundleWithAttestation,
                (
                    abi.encodePacked(first.identityKey),
                    abi.encodePacked(first.preKey),
                    first.preKeySignature,
                    encode(proofOf(first, AUTHORITY_KEY))
                )
            )
        );
        report("register_certified", used, 139_000);
    }

    function test_gas_rotate_pre_key() external {
        Bundle memory next = nextPreKey(bundle);
        uint256 used = measure(
            owner,
            abi.encodeCall(
                IKeyBundles.rotatePreKey,
                (
                    abi.encodePacked(next.identityKey),
                    abi.encodePacked(next.preKey),
                    next.preKeySignature,
                    encode(proofOf(next, AUTHORITY_KEY))
                )
            )
        );
        report("rotate_pre_key", used, 55_000);
    }

    function test_gas_revoke() external {
        uint256 used =
            measure(owner, abi.encodeCall(IKeyBundles.revokeKeyBundle, (abi.encodePacked(bundle.identityKey))));
        report("revoke", used, 30_000);
    }

    function measure(address sender, bytes memory call_) private returns (uint256 used) {
        vm.cool(address(registry));
        vm.cool(address(enclaves));
        vm.cool(address(policy));
        vm.cool(address(router));
        vm.cool(address(verifier));
        vm.prank(sender);
        (bool accepted,) = address(registry).call(call_);
        Vm.Gas memory gas_ = vm.lastCallGas();
        assertThat(accepted, "accepted");
        uint256 tokens;
        for (uint256 i = 0; i < call_.length; ++i) {
            tokens += call_[i] == 0 ? 1 : 4;
        }
        used = 21_000 + tokens * 4 + gas_.gasTotalUsed;
        uint256 refund = gas_.gasRefunded > 0 ? uint256(uint64(gas_.gasRefunded)) : 0;
        used -= refund < used / 5 ? refund : used / 5;
        uint256 floor = 21_000 + tokens * 10;
        return used > floor ? used : floor;
    }

    function report(string memory name, uint256 used, uint256 ceiling) private view {
        (bool logged,) = address(0x000000000000000000636F6e736F6c652e6c6f67)
            .staticcall(abi.encodeWithSignature("log(string,uint256,uint256)", name, used, ceiling));
        assertThat(logged, "console");
        assertThat(used <= ceiling, name);
    }
}
