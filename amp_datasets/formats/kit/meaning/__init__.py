"""What label files mean: which image, which split, which list of classes, and what several files say of one image.

Offers `Resolver`, `SplitLists`, `ClassLists` and `joined`; readers reach them through `Reading`.
May import: errors, model, storage, geometry, images, rows, formats.
"""
