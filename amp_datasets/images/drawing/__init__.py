"""Labels drawn on images, and images side by side on a sheet: for whoever shows them, from previews to dataset cards.

Offers `labels.draw_labels` and `gallery.Gallery`.
May import: storage, geometry, images.
"""
