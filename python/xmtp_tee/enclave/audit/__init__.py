"""The enclave's audit log: entries in a chain, sealed, in segments on the host's disk."""
