"""Bytes to arrays and back, and what a file says of itself without decoding.

Offers `decode`, `encode`, `read_header`, `probe` and fingerprints for duplicates.
May import: errors, model, storage.
"""
