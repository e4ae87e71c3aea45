"""What makes another image of a source before its values and places change: boxes worked in, images joined and cut.

Offers `compose` with its layers, and `apply_within`.
May import: what variants may.
"""
