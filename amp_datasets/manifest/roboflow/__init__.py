"""What Roboflow says of a version of a dataset, as a recipe of ours: its settings, its sentences, its licence line.

Offers `written_recipe`, `translate` and `provenance_of`.
May import: storage, and what everybody knows.
"""
