"""Builds, lazy sets and manifests as typed datasets for training code.

Offers `load`, `augment`, `EpochDataset`, the adapters for training code, and the file system behind lazy sets.
May import: everything above.
"""
