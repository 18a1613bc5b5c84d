"""What the DCAP contracts take: compact quotes, evidence, collateral in compact form, the order of calls.

Pure functions. Nothing here talks to a chain or verifies a signature; each function refuses what the
contracts would refuse for its form, before gas is spent.
"""
