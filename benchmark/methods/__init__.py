"""Methods: an explicit registry, plus what other packages offer under the entry point ``cocoad.methods``."""

from benchmark.methods.registry import create, method_class, names
from cocoad.base.door import make_callable

__all__ = ["create", "method_class", "names"]

make_callable(__name__, "benchmark.api:methods")
