"""Loader processes: work done ahead by helpers, handed back through pipes.

No shared memory is used, which containers have little of, and no lock that a dead process could hold: each helper
has a pipe of its own. One that dies is noticed at once, and one whose parent dies ends.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TypeVar

from cocoad.base.errors import CocoadError, InputError, ResourceError

T = TypeVar("T")
AHEAD = 2  # tasks that a helper has at a time: the one it does, and the next
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE_S = 5.0  # that a helper told to stop is waited for before it is killed
Fetch = Callable[[Sequence[int]], T]


class _Helper(NamedTuple):
    process: BaseProcess
    pipe: Connection


class _Failure(NamedTuple):
    """What a helper sends in place of a result."""

    error: CocoadError | None  # None: an error that nobody expected
    text: str


def loader_workers(wanted: int | None) -> int:
    """Return how many processes decode: as wanted, else one for each core but one, at most 8."""
    return wanted if wanted is not None else min(8, len(os.sched_getaffinity(0)) - 1)


def loaded(fetch: Fetch[T], order: Iterable[Sequence[int]], workers: int) -> Iterator[T]:
    """Yield ``fetch(indices)`` for each list of indices, in order, fetched ahead by ``workers`` processes.

    What ``fetch`` returns is pickled on its way: give NumPy arrays, since torch would take shared memory for its
    tensors.

    Raises:
        CocoadError: what ``fetch`` raised of this kind, as it was.
        ResourceError: a helper died.
    """
    if workers < 1:
        yield from map(fetch, order)
        return
    helpers = _started(fetch, workers)
    tasks = iter(order)
    waiting: deque[_Helper] = deque()  # in the order of the tasks that they were given
    try:
        for _ in range(AHEAD):
            for helper in helpers:
                _give(helper, tasks, waiting)
        while waiting:
            helper = waiting.popleft()
            result = _received(helper)
            _give(helper, tasks, waiting)
            yield result
    finally:
        _stop(helpers)


def _give(helper: _Helper, tasks: Iterator[Sequence[int]], waiting: deque[_Helper]) -> None:
    indices = next(tasks, None)
    if indices is not None:
        with contextlib.suppress(BrokenPipeError):  # it died: that is said when its result is due
            helper.pipe.send(indices)
        waiting.append(helper)


def _received(helper: _Helper) -> Any:
    wait([helper.pipe, helper.process.sentinel])
    try:
        result = helper.pipe.recv()
    except (EOFError, ConnectionResetError):
        helper.process.join(PATIENCE_S)
        raise ResourceError(
            f"a loader process died ({_how(helper.process.exitcode)}): out of memory? give fewer --workers"
        ) from None
    if isinstance(result, _Failure):
        raise result.error or RuntimeError(f"in a loader process: {result.text}")
    return result


def _how(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    return f"killed by {signal.Signals(-code).name}"


def _started(fetch: Fetch[Any], workers: int) -> list[_Helper]:
    context = multiprocessing.get_context("fork")
    helpers: list[_Helper] = []
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # Python's own work around a fork loses them
    try:
        for _ in range(workers):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(fetch, theirs), daemon=True)
            helpers.append(_Helper(process, ours))
            process.start()
            theirs.close()
    except OSError as error:
        _stop([helper for helper in helpers if helper.process.pid is not None])
        raise ResourceError(
            f"no loader process could be started ({error.strerror}): give --workers 0"
        ) from None
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return helpers


def _stop(helpers: Sequence[_Helper]) -> None:
    for helper in helpers:
        helper.pipe.close()
        helper.process.terminate()
    for helper in helpers:
        helper.process.join(PATIENCE_S)
        if helper.process.exitcode is None:
            helper.process.kill()
            helper.process.join()
        helper.process.close()


def _work(fetch: Fetch[Any], pipe: Connection) -> NoReturn:
    """Do what comes through ``pipe`` until its other end is closed, as it is when the parent ends or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all: the parent answers for its helpers
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    gc.freeze()  # what was inherited is not collected here, for some of it would act on files of the parent's
    _let_go_of_files(pipe.fileno())
    with contextlib.suppress(EOFError, OSError):
        while True:
            pipe.send(_done(fetch, pipe.recv()))
    os._exit(0)


def _done(fetch: Fetch[Any], indices: Sequence[int]) -> Any:
    try:
        return fetch(indices)
    except CocoadError as error:
        return _Failure(error if type(error) in (InputError, ResourceError) else InputError(str(error)), "")
    except Exception:
        return _Failure(None, traceback.format_exc())


def _let_go_of_files(kept: int) -> None:
    """Let go of the files that were open in the parent: of its locks, and of its ends of the others' pipes."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for entry in [*Path("/proc/self/fd").iterdir()]:
        handle = int(entry.name)
        if handle > 2 and handle not in (kept, nothing):
            with contextlib.suppress(OSError):  # the listing's own
                os.fstat(handle)
                os.dup2(nothing, handle)
