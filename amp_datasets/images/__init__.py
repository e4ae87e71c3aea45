"""Bytes to arrays and back, and what a file says of itself without decoding.

Offers `codec` (`decode`, `encode`, `read_header`), `header.probe`, and fingerprints for duplicates.
May import: errors, model, storage.
"""
