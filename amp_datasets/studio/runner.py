"""A build, an export or a push in a process of its own: it can be ended like a command, and the page stays quick.

The job comes as one line of JSON on stdin. Progress, the result or the error go out as lines of JSON on stdout.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from amp_datasets.errors import AmpError, said
from amp_datasets.progress import told_to

_INTERVAL_S = 0.2


def main() -> int:
    """Do what stdin says; 0 done, 2 refused, 130 ended by the page."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a server in the background passes its deafness on
    job = json.loads(sys.stdin.readline())
    _tell({"what": "loading libraries", "done": 0, "total": 1})
    try:
        result = _KINDS[job.pop("kind")](job)
    except KeyboardInterrupt:
        _tell({"stopped": True})
        return 130
    except AmpError as error:
        others = [error, *getattr(error, "others", ())]
        _tell({"problems": [{"what": e.what, "where": e.where, "fix": e.fix} for e in others]})
        return 2
    except Exception as error:  # the page shows it
        _tell({"problems": [{"what": said(error), "where": None, "fix": None}]})
        return 2
    _tell({"result": result})
    return 0


def _build(job: dict[str, Any]) -> dict[str, Any]:
    from amp_datasets.building.api import build

    progress = _progress()
    with told_to(progress):
        report = build(Path(job["manifest"]), out=job["out"], plugin_dirs=job["plugin_dirs"], progress=progress)
    return {**report.to_json(), "text": report.as_text()}


def _export(job: dict[str, Any]) -> dict[str, Any]:
    from amp_datasets.interface.commands import convert

    report = convert(
        job["build"],
        to=job["to"],
        out=job["out"],
        zipped=job["zipped"],
        plugin_dirs=job["plugin_dirs"],
        progress=_progress(),
    )
    return {**report.to_json(), "text": report.as_text()}


def _publish(job: dict[str, Any]) -> dict[str, Any]:
    from amp_datasets.exchange.hub import publish

    report = publish(job["build"], repo=job["repo"], private=job["private"], dry_run=job["dry_run"])
    return {**report.to_json(), "text": report.as_text()}


_KINDS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "build": _build,
    "export": _export,
    "publish": _publish,
}


def _progress() -> Callable[[str, int, int], None]:
    last = 0.0
    said = ""

    def show(what: str, done: int, total: int) -> None:
        nonlocal last, said
        now = time.monotonic()
        if what != said or done >= total or now - last > _INTERVAL_S:
            last, said = now, what
            _tell({"what": what, "done": done, "total": total})

    return show


def _tell(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
