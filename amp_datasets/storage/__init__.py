"""Folders, zips, safe file names, YAML and writing: the only wing that touches paths.

Offers `Folder`, `open_folder`, `read_yaml`, `safe_name` and `place_file`.
May import: errors, model.
"""
