"""Work in child processes that share what the parent has read, and die with it.

Why not threads: drawing, encoding or reading a mask and looking at an image are dozens of calls of a few
microseconds, each of which hands the interpreter over; two threads were measured slower than one, two processes twice
as fast.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import Any, TypeVar

from cocoad.base.errors import ResourceError

T = TypeVar("T")
R = TypeVar("R")
_CHUNK = 4  # tasks that a child takes at once
_AT_ONCE = 64  # small pieces of work that make a task
_WORTH_FORKING = 1000  # of them, which take about as long as a process costs
_work: Callable[[int], Any]  # the children's, by inheritance


def processors() -> int:
    """Return how many processes work at once where nobody says: one for each processor, at most four."""
    return min(4, len(os.sched_getaffinity(0)))


def each_of(
    items: Sequence[T], work: Callable[[T], R], advance: Callable[[], object] = lambda: None
) -> Iterator[R]:
    """Yield what ``work`` returns for each of ``items``, in order: of many, child processes do it.

    Args:
        advance: is called once for each.

    Raises:
        ResourceError: a child ended before its work did.
    """
    if len(items) < _WORTH_FORKING:
        for item in items:
            yield work(item)
            advance()
        return

    def several(number: int) -> list[R]:
        return [work(item) for item in items[number * _AT_ONCE : (number + 1) * _AT_ONCE]]

    with forked(several, -(-len(items) // _AT_ONCE), processors()) as batches:
        for batch in batches:
            for result in batch:
                yield result
                advance()


@contextlib.contextmanager
def forked(work: Callable[[int], T], tasks: int, processes: int) -> Iterator[Iterator[T]]:
    """Have ``work`` done for each of the numbers below ``tasks`` by child processes; yield the results in order.

    Call it before starting threads. On leaving the block no child works any more, whatever happened.

    Args:
        work: is inherited, with all that it refers to; its results are sent back.

    Raises:
        ResourceError: a child ended before its work did.
    """
    global _work
    _work = work
    before = signal.pthread_sigmask(
        signal.SIG_BLOCK, {signal.SIGINT}
    )  # Python's own work around a fork loses it
    try:
        pool = ProcessPoolExecutor(processes, multiprocessing.get_context("fork"), _begin)
        results = pool.map(_do, range(tasks), chunksize=_CHUNK)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    try:
        yield results
    except BrokenProcessPool:
        raise ResourceError(
            "a helper process was killed or failed: out of memory? cocoad build takes --jobs 1"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    sys.stdout = sys.stderr = None  # a thread that draws bars may have held their locks
    gc.freeze()  # else a collection would touch, and so copy, all that the parent has read
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent answers for both
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _do(number: int) -> Any:
    return _work(number)
