"""What a build is made of: images and their pieces, and other images they take parts of.

Offers `Prepared`, `Task`, `selected`, `balanced` and `Partners`.
May import: what building may.
"""
