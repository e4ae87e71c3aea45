"""What `benchmarks/training.py` is made of: samples of real sets, two trainers, results as a table and curves."""
