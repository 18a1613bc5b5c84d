"""Backups of keys: the container, its ways in, and two formats of others. No I/O, no keys kept.

==============  ===================================================================================
module          its one job
==============  ===================================================================================
``container``   the bytes: a versioned header, which is associated data, and the sealed key
``passwords``   Argon2id, with a floor and a ceiling that are checked before it runs
``ways``        the data key wrapped: for a password, a public key, SLIP-39 shares
``sealing``     seal and open a whole container
``age``         write an age file (age-encryption.org/v1) for an X25519 recipient
``keystore``    write an Ethereum keystore v3 for a secp256k1 key
==============  ===================================================================================

Entropy is passed in. Secrets are buffers that their owner wipes.
"""
