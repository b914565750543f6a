"""Releases of a product, as `draem release` manages them.

lifecycle.py seals, activates, rolls back, exports and imports versions; listing.py describes them;
release_file.py writes and checks the file that carries one; signing.py signs a seal (`make_key`,
`sign`, `check_signature`).
"""
