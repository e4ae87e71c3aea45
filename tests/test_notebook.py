"""docs/notebook.ipynb runs from top to bottom."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

from torch_prelude import TORCH_PRELUDE

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"


def test_the_notebook_runs(tmp_path: Path) -> None:
    """Cell by cell as one program; training only where torch and transformers are installed."""
    cells = [cell for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    texts = ["".join(cell["source"]) for cell in cells]
    trains = all(importlib.util.find_spec(name) for name in ("torch", "transformers", "scipy"))
    if trains:
        texts = [TORCH_PRELUDE, *texts, "assert len(losses) == 10, losses"]
    else:
        texts = [text for text in texts if "transformers" not in text]
    texts.append("assert len(large) > 5 * len(dataset), large")
    (tmp_path / "notebook.py").write_text("\n".join(texts), encoding="utf-8")
    command = [sys.executable, str(tmp_path / "notebook.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]


def test_the_notebook_is_clean() -> None:
    """No output and no count of somebody's last run is committed."""
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
