"""XMTP for Python people: a client whose keys stay in the enclave. This half is the host's: it moves bytes
between the network and the enclave and sees ciphertext.
"""
