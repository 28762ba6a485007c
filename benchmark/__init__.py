"""The COCO-AD harness: a dataset and a method in, a scored run out.

>>> import benchmark
>>> run = benchmark.run("padim", dataset="tiles", image_size=128)  # doctest: +SKIP
>>> benchmark.leaderboard("runs")  # doctest: +SKIP
"""

from typing import TYPE_CHECKING

__all__ = [
    "Evaluator",
    "compare",
    "evaluate",
    "leaderboard",
    "load_dataset",
    "load_run",
    "methods",
    "report",
    "run",
]

if TYPE_CHECKING:
    from benchmark.api import compare, leaderboard, load_dataset, load_run, methods, report, run
    from benchmark.metrics import Evaluator, evaluate
else:
    from cocoad.base.door import offered

    __getattr__, __dir__ = offered(
        __name__,
        {
            "Evaluator": "benchmark.metrics:Evaluator",
            "compare": "benchmark.api:compare",
            "evaluate": "benchmark.metrics:evaluate",
            "leaderboard": "benchmark.leaderboard",
            "load_dataset": "benchmark.api:load_dataset",
            "load_run": "benchmark.api:load_run",
            "methods": "benchmark.methods",
            "report": "benchmark.report",
            "run": "benchmark.api:run",
        },
    )
