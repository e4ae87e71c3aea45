"""What a format is: the contract that every reader and writer of sets keeps.

Offers `Source`, `Exporter`, `Options`, `Detection` and counted losses.
May import: errors, model, storage, images.
"""
