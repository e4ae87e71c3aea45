"""A small labelled set, drawn from a seed: for the quick start, the tests and the documentation's images.

Offers `write_demo`, `demo_set`, and `python -m amp_datasets.demo DIR`.
May import: everything; nobody imports it.
"""
