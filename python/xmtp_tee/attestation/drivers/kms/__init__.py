"""AWS KMS as the source of a Nitro enclave's sealing root.

An enclave keeps no secret over a restart; KMS releases one to enclaves whose attestation document fulfils the
conditions of a key's policy (``kms:RecipientAttestation:...``), encrypted to a key that the document carries. What
travels: :mod:`.service` (requests and their answers), :mod:`.signature` (AWS Signature Version 4), :mod:`.envelope`
(RFC 5652), :mod:`.line` (TLS over TCP or vsock). :mod:`.source` puts them together.

WARNING: who may change the key's policy can have the root. docs/OPERATIONS.md says which policy is meant.
"""
