"""The commands of `amp`, grouped by what they work on."""
