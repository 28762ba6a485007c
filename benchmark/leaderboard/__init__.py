"""Runs and published rows → rankings and their tables."""

from cocoad.base.door import make_callable

make_callable(__name__, "benchmark.api:leaderboard")
