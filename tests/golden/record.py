"""Record the digests of the pinned builds anew, after a change that is meant.

    python tests/golden/record.py

Look at what changed (`git diff --stat tests/golden`), raise `ALGORITHM_VERSION` in `amp_datasets/plugin/discovery.py`
first if bytes of variants did, and say so in CHANGELOG.md. With libraries whose digests are not recorded yet it writes
a file for them, and nothing else may change.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from golden import builds


def main() -> None:
    """Make every pinned build and write its digests."""
    images: builds.Digests = {}
    labels: builds.Digests = {}
    for name in builds.names():
        with tempfile.TemporaryDirectory() as folder:
            images[name], labels[builds.kind_of(name)] = builds.digests(name, Path(folder))
        print(f"{name}: {len(images[name])} images")
    builds.DIGESTS.mkdir(exist_ok=True)
    builds.write(builds.image_file(), images)
    builds.write(builds.LABEL_FILE, labels)


if __name__ == "__main__":
    main()
