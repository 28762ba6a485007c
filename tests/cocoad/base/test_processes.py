"""Work in child processes: in order, with what they said, and never longer than their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cocoad.base.errors import InputError, ResourceError
from cocoad.base.processes import each_of, forked


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 1065])
def test_results_come_in_order_and_each_is_counted_once(count: int) -> None:
    counted: list[None] = []
    assert list(each_of(range(count), lambda number: number**2, lambda: counted.append(None))) == [
        number**2 for number in range(count)
    ]
    assert len(counted) == count


def test_many_are_done_by_other_processes_and_few_are_not() -> None:
    assert set(each_of(range(100), lambda _: os.getpid())) == {os.getpid()}
    assert os.getpid() not in set(each_of(range(2000), lambda _: os.getpid()))


def test_an_error_of_the_work_is_raised_where_its_result_would_be() -> None:
    def work(number: int) -> int:
        if number == 1500:
            raise InputError("the 1500th is wrong")
        return number

    with pytest.raises(InputError, match="the 1500th"):
        list(each_of(range(2000), work))


def test_a_helper_that_dies_is_reported_not_waited_for() -> None:
    def work(number: int) -> int:
        if number == 50:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    def all_results() -> list[int]:
        with forked(work, 100, 2) as results:
            return list(results)

    with pytest.raises(ResourceError, match="was killed or failed"):
        all_results()


ORPHANS = """
import os, sys, time
from cocoad.base.processes import forked
def work(number):
    if number > 3:  # after the first chunk
        time.sleep(60)
    return os.getpid()
with forked(work, 100, 2) as results:
    print(next(results), flush=True)
    time.sleep(60)
"""


def test_helpers_die_with_their_parent() -> None:
    command = [sys.executable, "-c", ORPHANS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        helper = Path("/proc") / process.stdout.readline().strip()
        assert helper.exists()
        process.kill()
    deadline = time.monotonic() + 30
    while helper.exists() and "Z" not in (helper / "stat").read_text().split()[2]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
