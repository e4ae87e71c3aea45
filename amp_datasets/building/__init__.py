"""The life of an image: read, join, plan, make, lay out, seal.

Offers `build`, `merge`, `prepare`, `BuildReport` and the engines.
May import: everything above.
"""
