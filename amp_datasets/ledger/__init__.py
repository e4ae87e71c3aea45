"""What was made, from what, and how: rows, keys and lock; proving it, making it again, comparing it.

Offers `read_ledger`, `VariantKeys`, `seal`, `verify`, `replay` and `diff`.
May import: everything above.
"""
