"""Commands in forks of one process that has loaded torch already: a second each, where a fresh one takes six.

``Server`` is the test's end; the module itself, run, is the other: it reads a JSON object a line, forks, answers with
the fork's number, and then with its exit code.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SHIM = Path(__file__).with_name("shim.c")
LOADED = (
    "benchmark.cli",
    "benchmark.datasets.caching",
    "benchmark.methods.floors",
    "benchmark.methods.rd",
    "benchmark.report.page",
    "benchmark.submissions.pack",
    "benchmark.training.request",
    "benchmark.training.runner",
    "cocoad.build.builder",
    "cocoad.cli",
)
NOT_INHERITED = ("COCO_ROOT", "COCOAD_CACHE", "SHIM_UNDER")


def built_shim(folder: Path) -> Path:
    """Compile `shim.c`, which makes the system fail as asked."""
    library = folder / "shim.so"
    command = ["cc", "-O1", "-shared", "-fPIC", "-o", str(library), str(SHIM), "-ldl"]
    subprocess.run(command, check=True)
    return library


class Server:
    """Runs commands, one at a time, with ``shim`` preloaded if given."""

    def __init__(self, shim: Path | None, variables: Mapping[str, str] | None = None) -> None:
        self.shim = shim
        # A shell's background jobs ignore Ctrl-C, and what they start does too.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        own = {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
        own |= {"LD_PRELOAD": str(shim)} if shim else {}
        kept = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            env=kept | own | dict(variables or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer() == "ready"

    def start(self, arguments: list[str], *, place: Path, said: Path, **more: Any) -> int:
        """Start a command in ``place`` that says what it says to the file ``said``; return its process.

        Args:
            more: ``variables`` of the environment (None: taken away), ``limits`` by the names of `resource`.
        """
        asked = {"arguments": arguments, "place": str(place), "said": str(said), **more}
        assert self.process.stdin
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        return int(self._answer())

    def code(self) -> int:
        """Return the exit code of what was started last, when it ends; of a signal the negative number."""
        return int(self._answer())

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()

    def _answer(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()


def _serve() -> None:
    for name in LOADED:
        importlib.import_module(name)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a fork that is no command yet says nothing
    print("ready", flush=True)
    for line in sys.stdin:
        number = os.fork()
        if not number:
            _become(json.loads(line))
        print(number, flush=True)
        _, status = os.waitpid(number, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become(asked: dict[str, Any]) -> None:
    """Be the command asked for, to the end of this process."""
    os.setsid()
    with contextlib.suppress(FileNotFoundError):
        os.chdir(asked["place"])
    handle = os.open(asked["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for kept, number in ((nothing, 0), (handle, 1), (handle, 2)):
        os.dup2(kept, number)
    os.close(handle)
    os.close(nothing)
    for name, value in asked.get("variables", {}).items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    tempfile.tempdir = None
    for name, value in asked.get("limits", {}).items():
        if name == "RLIMIT_AS":  # beyond what is taken already
            value += int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(getattr(resource, name), (value, value))
    sys.argv = asked["arguments"]
    code: Any = 1
    try:
        if asked["arguments"][0] == "cocoad":
            from cocoad.cli import main
        else:
            from benchmark.cli import main
        signal.signal(signal.SIGINT, signal.default_int_handler)
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    import atexit

    atexit._run_exitfuncs()
    os._exit(code or 0)


if __name__ == "__main__":
    _serve()
