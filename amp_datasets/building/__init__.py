"""The life of an image: read, join, plan, make, lay out, seal.

Offers `build`, `merge`, `prepare`, `Order`, `BuildReport` and the engines.
May import: everything above.
"""
