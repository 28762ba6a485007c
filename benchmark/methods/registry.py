"""Which methods there are, by name. Modules are imported when a method is asked for, not before."""

from __future__ import annotations

import importlib
from importlib.metadata import entry_points
from typing import Any

from benchmark.methods.anomalib_adapter import known as anomalib_models
from benchmark.methods.base import Method
from cocoad.errors import InputError

ENTRY_POINTS = "cocoad.methods"
BUILT_IN = {
    "invad": "benchmark.methods.invad.method:InvAD",
    "invad-lite": "benchmark.methods.invad.method:InvADLite",
    "rd": "benchmark.methods.rd:ReverseDistillation",
    "uniad": "benchmark.methods.uniad:UniAD",
    "vitad": "benchmark.methods.vitad:ViTAD",
    "padim": "benchmark.methods.padim:PaDiM",
    "patchcore": "benchmark.methods.patchcore:PatchCore",
    "mean-image": "benchmark.methods.floors:MeanImage",
    "feature-distance": "benchmark.methods.floors:FeatureDistance",
}


def names() -> list[str]:
    """Return the names of all methods: built in first, then those of other packages."""
    return [*BUILT_IN, *sorted(point.name for point in entry_points(group=ENTRY_POINTS))]


def canonical(name: str) -> str:
    """Return a method's name as runs are named by it: anomalib's models may be asked for in any case.

    Raises:
        InputError: anomalib has no such model.
    """
    prefix = anomalib_models.PREFIX
    if not name.startswith(prefix):
        return name
    return prefix + anomalib_models.canonical(name.removeprefix(prefix))


def method_class(name: str) -> type[Method]:
    """Return a method's class.

    Raises:
        InputError: there is no such method (the error lists those there are), or it is not a Method.
    """
    if name.startswith(anomalib_models.PREFIX):
        from benchmark.methods.anomalib_adapter.method import adapted

        return adapted(name.removeprefix(anomalib_models.PREFIX))
    if name in BUILT_IN:
        module, attribute = BUILT_IN[name].split(":")
        loaded: Any = getattr(importlib.import_module(module), attribute)
    else:
        points = entry_points(group=ENTRY_POINTS, name=name)
        if not points:
            raise InputError(
                f"no method {name!r}: there are {', '.join(names())} and {anomalib_models.PREFIX}MODEL"
            )
        loaded = next(iter(points)).load()
    if not (isinstance(loaded, type) and issubclass(loaded, Method)):
        raise InputError(f"the method {name!r} is not a subclass of benchmark.methods.base.Method")
    return loaded


def create(name: str, image_size: int, backbone: str | None = None, **options: Any) -> Method:
    """Build a method with random weights."""
    kind = method_class(name)
    try:
        return kind(image_size=image_size, backbone=backbone or kind.default_backbone, **options)
    except TypeError as error:
        raise InputError(f"the method {name!r} does not take these options: {error}") from None
