"""Builds, lazy sets and manifests as typed datasets for training code.

Offers `load` and the file system behind lazy sets.
May import: everything above.
"""
