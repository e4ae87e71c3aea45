"""Finds plugins, keeps them by name, and describes them.

Offers `Registry` (names to filters, sources, exporters), `load_registry`, `load_formats` and `describe_filter`.
May import: errors, and filtering and formats for their types.
"""
