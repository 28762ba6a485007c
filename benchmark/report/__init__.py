"""The HTML report: one page with the leaderboard, the curves, the costs and the pictures of finished runs."""

from cocoad.base.door import make_callable

make_callable(__name__, "benchmark.api:report")
