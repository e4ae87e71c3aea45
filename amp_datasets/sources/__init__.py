"""Sets opened and joined: formats found, classes, names, duplicates, splits.

Offers `read_source`, `consolidate`, `SourceFinder` and sets from a hub.
May import: everything above, `manifest` and `formats` included.
"""
