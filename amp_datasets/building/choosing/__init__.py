"""What a build is made of: images and their pieces, the kinds of variant of each, and other images they take parts of.

Offers `selected`, `kinds_of` and `Partners`.
May import: what building may.
"""
