"""The parts of ``KeyManager``: one class for each family of operations."""
