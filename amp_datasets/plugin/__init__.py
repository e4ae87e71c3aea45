"""Finds plugins and keeps them by name.

Offers `Registry` (names to filters, sources, exporters) and `load_registry`, `load_formats`.
May import: errors, and filtering and formats for their types.
"""
