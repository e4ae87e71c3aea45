"""The dataset card of a build: its text, its metadata for the hub, and the sheet of images that it shows.

Offers `card.card_text` and `sheet.write_sheet`.
May import: what building may.
"""
