// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

// Owners that are contracts, kind and hostile, as the KeyRegistry meets them. They exist in tests alone.

/// @dev Signs by one key (ERC-1271): 65 bytes, r || s || v.
contract KeyWallet {
    address public immutable key;

    constructor(address key_) {
        key = key_;
    }

    function isValidSignature(bytes32 hash, bytes calldata signature) external view virtual returns (bytes4) {
        if (signature.length != 65) return 0xffffffff;
        address signer = ecrecover(hash, uint8(signature[64]), bytes32(signature[:32]), bytes32(signature[32:64]));
        return signer == key ? this.isValidSignature.selector : bytes4(0xffffffff);
    }

    function act(address target, bytes calldata call_) external {
        (bool accepted, bytes memory answer) = target.call(call_);
        if (!accepted) {
            assembly {
                revert(add(answer, 0x20), mload(answer))
            }
        }
    }
}

/// @dev Makes wallets at addresses that are known before (CREATE2).
contract WalletFactory {
    function make(address key) external returns (address) {
        return address(new KeyWallet{salt: 0}(key));
    }

    function addressOf(address key) external view returns (address) {
        bytes32 code = keccak256(abi.encodePacked(type(KeyWallet).creationCode, abi.encode(key)));
        return address(uint160(uint256(keccak256(abi.encodePacked(hex"ff", address(this), bytes32(0), code)))));
    }
}

/// @dev Does something else first, then makes the wallet: a factory in an attacker's hands.
contract HostileFactory is WalletFactory {
    bool public accepted;
    bytes public answer;

    function callAndMake(address target, bytes calldata call_, address key) external returns (address) {
        (accepted, answer) = target.call(call_);
        return address(new KeyWallet{salt: 0}(key));
    }

    function callOnly(address target, bytes calldata call_) external {
        (accepted, answer) = target.call(call_);
    }

    function makeAndFail(address key) external {
        new KeyWallet{salt: 0}(key);
        revert("changed my mind");
    }

    function burn() external pure {
        assembly {
            invalid()
        }
    }
}

/// @dev Answers as scripted, to any hash: what an ERC-1271 owner may do to those who ask it.
contract ScriptedWallet {
    enum Manner {
        ACCEPT,
        REFUSE,
        REVERT,
        BURN,
        BOMB,
        SHORT,
        REENTER
    }

    Manner public manner;
    address public target;
    bytes public reentry;

    function script(Manner manner_) external {
        manner = manner_;
    }

    function scriptReentry(address target_, bytes calldata call_) external {
        (manner, target, reentry) = (Manner.REENTER, target_, call_);
    }

    function act(address target_, bytes calldata call_) external {
        (bool accepted,) = target_.call(call_);
        require(accepted);
    }

    function isValidSignature(bytes32, bytes calldata) external returns (bytes4) {
        if (manner == Manner.REFUSE) return 0xffffffff;
        if (manner == Manner.REVERT) revert("no");
        if (manner == Manner.BURN) {
            assembly {
                invalid()
            }
        }
        if (manner == Manner.BOMB) {
            assembly {
                revert(0, 200000)
            }
        }
        if (manner == Manner.SHORT) {
            assembly {
                mstore(0, shl(224, 0x1626ba7e))
                return(0, 4)
            }
        }
        if (manner == Manner.REENTER) {
            (bool accepted,) = target.call(reentry);
            require(accepted, "not let in");
        }
        return this.isValidSignature.selector;
    }
}
