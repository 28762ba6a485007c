"""The evaluation engine: eleven anomaly-detection metrics under two protocols, in one streaming pass.

Needs NumPy and OpenCV only; torch tensors are taken when torch is there. See ``docs/metrics.md``.
"""

from benchmark.metrics.evaluation import Evaluation, UndefinedMetricWarning, undefined_said
from benchmark.metrics.evaluator import Evaluator, evaluate
from benchmark.metrics.protocols import AGGREGATES, METRICS, PROTOCOLS

__all__ = [
    "AGGREGATES",
    "METRICS",
    "PROTOCOLS",
    "Evaluation",
    "Evaluator",
    "UndefinedMetricWarning",
    "evaluate",
    "undefined_said",
]
