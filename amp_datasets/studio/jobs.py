"""The one long piece of work that runs beside the page: a build, an export, a push."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from typing import Any

from amp_datasets.errors import BuildError

_PATIENCE_S = 15.0
_MODULE = "amp_datasets.studio.runner"


class Jobs:
    """Starts work in a process of its own, follows it, and ends it like Ctrl-C does: finished parts are kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._state: dict[str, Any] = {"state": "none"}

    def state(self) -> dict[str, Any]:
        """none, running, done, stopped or failed; with kind, progress, and what came of it."""
        with self._lock:
            return dict(self._state)

    def start(self, job: dict[str, Any]) -> dict[str, Any]:
        """Begin a piece of work. Raises BuildError while another one runs."""
        with self._lock:
            if self._state["state"] in {"running", "stopping"}:
                raise BuildError("something is running already", fix="wait for it, or stop it")
            # Our own module, by the interpreter that runs us; the job goes in by a pipe, never through a shell. Without
            # `-P` Python would look for it, and for every library, in the current folder first: a stranger's project.
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-P", "-m", _MODULE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                start_new_session=True,
            )
            self._state = {"state": "running", "kind": job["kind"], "job": job, "started": time.time()}
            self._state |= {"what": "starting", "done": 0, "total": 0}
            threading.Thread(target=self._follow, args=(self._process, job), daemon=True).start()
            return dict(self._state)

    def stop(self) -> None:
        """End what runs; what it finished is kept for the next time."""
        with self._lock:
            if self._process is None or self._state["state"] != "running":
                return
            self._state["state"] = "stopping"
            process = self._process
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        threading.Thread(target=_end, args=(process,), daemon=True).start()

    def close(self) -> None:
        """End what runs, and wait until it has ended."""
        self.stop()
        if self._process is not None:
            _end(self._process)

    def wait(self, seconds: float = 600) -> dict[str, Any]:
        """Until nothing runs; for tests and scripts."""
        end = time.monotonic() + seconds
        while self.state()["state"] in {"running", "stopping"}:
            if time.monotonic() > end:
                raise TimeoutError
            time.sleep(0.05)
        return self.state()

    def _follow(self, process: subprocess.Popen[str], job: dict[str, Any]) -> None:
        said: list[str] = []
        stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
        if stdin is None or stdout is None or stderr is None:
            return
        listener = threading.Thread(target=lambda: said.append(stderr.read()[-2000:]), daemon=True)
        listener.start()
        with contextlib.suppress(BrokenPipeError):
            stdin.write(json.dumps(job) + "\n")
            stdin.close()
        last: dict[str, Any] = {}
        for line in stdout:
            with contextlib.suppress(ValueError):  # what a library printed is no line of ours
                last = json.loads(line)
                if "what" in last:
                    with self._lock:
                        self._state |= last
        process.wait()
        listener.join(1)
        stdout.close()
        stderr.close()
        with self._lock:
            self._state |= _ending(last, process.returncode, "".join(said))
            self._state["seconds"] = time.time() - self._state["started"]


def _ending(last: dict[str, Any], code: int, said: str) -> dict[str, Any]:
    if "result" in last:
        return {"state": "done", "result": last["result"]}
    if "problems" in last:
        return {"state": "failed", "problems": last["problems"]}
    if "stopped" in last or code in {130, -signal.SIGINT, -signal.SIGKILL}:
        return {"state": "stopped"}
    tail = said.strip().splitlines()[-1:] or [f"exit code {code}"]
    return {"state": "failed", "problems": [{"what": tail[0], "where": None, "fix": None}]}


def _end(process: subprocess.Popen[str]) -> None:
    try:
        process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
