"""The made images of a ledger as samples."""

from __future__ import annotations

import itertools
from pathlib import Path

import pyarrow as pa
import pytest

from amp_datasets.ledger.samples import ShardSamples
from amp_datasets.ledger.schema import LEDGER_FEATURES, MADE, empty_row


@pytest.mark.parametrize("most", [1, 2, 3, 7, 15, 200])
def test_samples_are_taken_evenly(tmp_path: Path, most: int) -> None:
    """Every n-th of those that were made, over batches and shards, the first one included."""
    schema = LEDGER_FEATURES.arrow_schema
    shards = [tmp_path / f"{number}.arrow" for number in range(3)]
    count = itertools.count()
    for number, shard in enumerate(shards):
        with pa.OSFile(str(shard), "wb") as file, pa.ipc.new_stream(file, schema) as stream:
            for size in (5, 0, 7 + number):
                rows = [
                    {
                        **empty_row(),
                        "status": MADE if place % 3 else "refused",
                        "file_name": f"{next(count)}.jpg",
                        "split": "train",
                        "labels": "[]",
                    }
                    for place in range(size)
                ]
                stream.write_batch(pa.RecordBatch.from_pylist(rows, schema))
    samples = ShardSamples(shards, tmp_path)
    every = [sample.source_id for sample in samples]
    step = max(1, len(every) // most)
    assert [sample.source_id for sample in samples.spread(most)] == every[::step][:most]
