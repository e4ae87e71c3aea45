"""What makes another image of a source before its values and places change: boxes worked in, images joined and cut.

Offers `compose` with its layers, `apply_within`, and `Combinations` of a mix.
May import: what variants may.
"""
