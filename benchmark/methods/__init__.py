"""Methods: an explicit registry, plus what other packages offer under the entry point ``cocoad.methods``."""

from benchmark.methods.registry import create, method_class, names

__all__ = ["create", "method_class", "names"]
