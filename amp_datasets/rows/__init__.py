"""Samples as Arrow rows: the only place that knows the names of columns.

Offers `features`, `dump_annotations`, `load_annotations` and a parquet writer.
May import: errors, model, geometry.
"""
