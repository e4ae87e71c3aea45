"""What readers of several formats share: which image, cleaning, parsing, COCO annotations, Arrow rows.

Offers `Reading` (everything a reader may drop or repair, counted) and the modules beside it.
May import: errors, model, storage, geometry, images, rows, formats.
"""
