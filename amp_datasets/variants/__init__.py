"""The pure function: a source, a recipe and a seed give one variant, or why not.

Offers `Recipe`, `VariantMaker`, `render`, `judge` and `Remaker`.
May import: all wings above: filtering, geometry, images, plugin, rows.
"""
