"""Labels drawn on images, for people to look at.

Offers `preview`.
May import: everything above.
"""
