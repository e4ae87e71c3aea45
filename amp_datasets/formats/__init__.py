"""What a format is: the contract that every reader and writer of sets keeps.

Offers `Source`, `Exporter`, `Options`, `Detection`, a check of what a foreign reader gives, and counted
losses.
May import: errors, model, storage, geometry, images.
"""
