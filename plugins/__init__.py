"""Everything that a manifest can name: filters and formats, one file each."""
