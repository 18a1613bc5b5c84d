// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

// Written by tools/p384_constants.py; `--check` says whether it is fresh. What each number is for stands in
// P384.sol, and how it is found in python/xmtp_tee/attestation/p384/field.py.

// The order of the group.
uint256 constant P384_N_HIGH = 0x00000000000000000000000000000000ffffffffffffffffffffffffffffffff;
uint256 constant P384_N_LOW = 0xffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973;
// The prime of the field.
uint256 constant P384_P_HIGH = 0x00000000000000000000000000000000ffffffffffffffffffffffffffffffff;
uint256 constant P384_P_LOW = 0xfffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff;
// The second modulus, (2^256 - 1) / 255.
uint256 constant P384_M = 0x0101010101010101010101010101010101010101010101010101010101010101;
// The basis of zero: (U, V) and (2V, U).
uint256 constant P384_U = 0x00000000000000005e3a5506f7ea5e5491fdf1f3280e1cfc127d9bb881eb66dd;
uint256 constant P384_V = 0x0000000000000000c0e46eb059d4ab1990bcb3e2595e1094626b588e61b91e4a;
uint256 constant P384_V2 = 0x000000000000000181c8dd60b3a95633217967c4b2bc2128c4d6b11cc3723c94;
// Minus the inverse of ((U, V), (2V, U)) modulo 2^256: ((K, L), (2L, K)).
uint256 constant P384_K = 0x48304200cd86f7cf44862d9651e06076337655584388e06e6b96fd6a7e149923;
uint256 constant P384_L = 0x28aeaef4f5b1fef65fbaa367807d32fc4c861d051d82876cc42476d861b91e4a;
uint256 constant P384_L2 = 0x515d5de9eb63fdecbf7546cf00fa65f8990c3a0a3b050ed98848edb0c3723c94;
// A pair for zero with both coordinates in [2^217, 2^218).
uint256 constant P384_OFF_A = 0x000000000300000000f26f642730868a03ad1c8df3da13cce874e5f101eb2999;
uint256 constant P384_OFF_B = 0x0000000002fffffff778cf9cb236fe1f5e58ff424c5d29d17e4f480aa40abeb3;
// The sum of the basis: a pair for zero, greater than anything a reduction subtracts.
uint256 constant P384_ROW_A = 0x0000000000000001e0033267ab93b487b37759b7daca3e24d7544cd5455da371;
uint256 constant P384_ROW_B = 0x00000000000000011f1ec3b751bf096e22baa5d5816c2d9074e8f446e3a48527;
// 2^255.
uint256 constant P384_HALF = 0x8000000000000000000000000000000000000000000000000000000000000000;
// -2^255 times the sum of the basis, modulo M, plus 4M.
uint256 constant P384_SHIFT_A = 0x04848484848484839482eb50aebaaa40aac8d7a8971f657218da5e19e1d5b2cc;
uint256 constant P384_SHIFT_B = 0x0484848484848483f4f522a8dba4ffcd73273199c3ce6dbc4a100a6112b241f1;
// 3 at level 2.
uint256 constant P384_THREE_A = 0x000000000000000021823dfa0c253571a78608f747494b9f7555e61a6ec5b8ec;
uint256 constant P384_THREE_B = 0x0000000000000000f346e7ebd01ae1b523b65a2d29d3d3b33fcad3462dd6a3a2;
// SHIFT + THREE + 8M.
uint256 constant P384_SHIFT_THREE_A = 0x0c8c8c8c8c8c8c8bbe0d3152c2e7e7ba5a56e8a7e670b91996384c3c58a373c0;
uint256 constant P384_SHIFT_THREE_B = 0x0c8c8c8c8c8c8c8cf044129cb3c7e98a9ee593cef5aa497791e2e5af4890ed9b;
// -3 at level 1.
uint256 constant P384_MINUS_THREE_A = 0x0000000000000000b834dcfa0e34d60c3858d92c933d453cf807304a1876b21b;
uint256 constant P384_MINUS_THREE_B = 0x0000000000000000a5bf9d00d1e7cf53d743725bb7c5c17a37e4e3e618be5a57;
// The curve's coefficient b at level 2.
uint256 constant P384_CURVE_A = 0x0000000000000000b82be7bda2229eaf56a3e5d9b1d6f35dc2b0ffb677ca7bb7;
uint256 constant P384_CURVE_B = 0x0000000000000000488dbfda7b2f9db8b04f55317e67c447c69f6113165e80fc;
// 1 at level 2: what a plain integer is multiplied by.
uint256 constant P384_ONE_A = 0x00000000000000000b2b69fe040c6725e28202fd17c31935271ca208cf973da4;
uint256 constant P384_ONE_B = 0x00000000000000005117a2a3f008f5e70be7736463469be66a98f117649ce136;
// 2^192 at level 2.
uint256 constant P384_HIGH_ONE_A = 0x00000000000000000681c19aa9c3b1fb7ff7b958c2e15667a7f4184db1060e85;
uint256 constant P384_HIGH_ONE_B = 0x0000000000000000b6e179fd1e6be6c03e92d78f22c28a07d35fba5c607fcbe7;
// Code hashes of the tables, made by tools/p384_tables.py.
bytes32 constant P384_LOW_TABLE_HASH = 0x97d90a82a2618525ad9018ed779f9c5be73d7e96e2a2473434fec8b145cbf0de;
bytes32 constant P384_HIGH_TABLE_HASH = 0x15e2ffa284f273b28fb0173e368ea251546419a5b493e2b21214f09d02911d2d;
