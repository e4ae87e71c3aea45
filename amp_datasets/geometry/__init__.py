"""Shapes, warps and run lengths in float64, on pixel edges.

Offers outlines and their measures (`shapes`), objects made of several shapes (`joining`), point maps (`warp`) and
COCO's run lengths (`rle`).
May import: errors, model.
"""
