"""The XMTP member inside the enclave: installations, their key packages and conversations, sealed."""
