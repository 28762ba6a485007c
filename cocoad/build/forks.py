"""Work in child processes that share what the parent has read, and die with it.

Why not threads: drawing and encoding a mask is dozens of calls of a few microseconds, each of which hands the
interpreter over; two threads were measured slower than one, two processes twice as fast.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence

from cocoad.base.errors import ResourceError

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)
_PIPE_BYTES = 1 << 20  # so that children need not wait while the parent is busy


@contextlib.contextmanager
def forked(streams: Sequence[Iterable[bytes]]) -> Iterator[Iterator[bytes]]:
    """Consume each stream of lines in a process of its own; yield all their lines, stream after stream.

    Call it before starting threads. On leaving the block the children are gone, whatever happened.

    Raises:
        ResourceError: a child ended before its stream did.
    """
    children: dict[int, int] = {}  # process id → the pipe to read from
    try:
        with _interrupts_held():
            for stream in streams:
                reading, writing = os.pipe()
                with contextlib.suppress(OSError):  # the system's limit for an unprivileged user is lower
                    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
                parent = os.getpid()
                child = os.fork()
                if child == 0:
                    _run_child(stream, writing, parent)
                os.close(writing)
                children[child] = reading
        yield _lines(children)
    finally:
        for child, reading in children.items():
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(reading)


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let Ctrl-C wait until the block ends: what Python runs around a fork would swallow it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _lines(children: dict[int, int]) -> Iterator[bytes]:
    for child, reading in list(children.items()):
        with open(reading, "rb", closefd=False) as lines:
            yield from lines
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.close(children.pop(child))
        if status:
            how = f"was killed by signal {-status}" if status < 0 else "failed"
            raise ResourceError(f"a helper process {how}: out of memory? try --jobs 1")


def _run_child(stream: Iterable[bytes], writing: int, parent: int) -> None:
    """Never return: a child must not go on as a second parent."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent answers for both
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == parent:  # else it died before we could ask to die with it
            with open(writing, "wb", buffering=0) as pipe:
                for line in stream:
                    pipe.write(line)
            status = 0
    except BaseException:
        traceback.print_exc(file=sys.stderr)
    finally:
        os._exit(status)
