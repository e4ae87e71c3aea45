"""The manifest: its model, reading, writing, JSON Schema, and messages with file, line and column.

Offers `Manifest`, `load_manifest`, `manifest_text` and `manifest_schema`.
May import: errors, model, plugin, storage, filtering, variants, images.
"""
