"""What the enclave does on request: one module per family of operations, and the table of them."""
