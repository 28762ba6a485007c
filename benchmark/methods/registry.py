"""Which methods there are, by name.

What a built-in method, or one of anomalib's, is (:func:`facts_of`) is known without torch; its class is imported when
it is asked for, not before.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, get_type_hints

import msgspec

from benchmark.config import path_from_text
from benchmark.facts import Facts
from benchmark.methods.anomalib_adapter import known as anomalib_models
from benchmark.methods.facts import BUILT_IN
from cocoad.base.errors import InputError, reason

if TYPE_CHECKING:
    from benchmark.methods.base import Method

ENTRY_POINTS = "cocoad.methods"
OF_ALL = ("image_size", "backbone")  # parameters of every constructor, which are no options of its own


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


def facts_of(name: str) -> Facts:
    """Return what a method is; only a class of another package is imported for that.

    Raises:
        InputError: as of :func:`method_class`.
    """
    if name.startswith(anomalib_models.PREFIX):
        return anomalib_models.facts_of(name.removeprefix(anomalib_models.PREFIX))
    return BUILT_IN[name][1] if name in BUILT_IN else method_class(name).facts


def method_class(name: str) -> type[Method]:
    """Return a method's class.

    Raises:
        InputError: there is no such method (the error lists those there are), its package cannot be imported,
            or it is not a Method.
    """
    if name.startswith(anomalib_models.PREFIX):
        from benchmark.methods.anomalib_adapter.method import adapted

        return adapted(name.removeprefix(anomalib_models.PREFIX))
    if name in BUILT_IN:
        module, attribute = BUILT_IN[name][0].split(":")
        loaded: Any = getattr(importlib.import_module(module), attribute)
    else:
        points = entry_points(group=ENTRY_POINTS, name=name)
        if not points:
            raise InputError(
                f"no method {name!r}: {_near(name)}there are {', '.join(names())} and "
                f"{anomalib_models.PREFIX}MODEL"
            )
        loaded = _load(next(iter(points)))
    from benchmark.methods.base import Method

    if not (isinstance(loaded, type) and issubclass(loaded, Method)):
        raise InputError(f"the method {name!r} is not a subclass of benchmark.methods.base.Method")
    return loaded


def _near(name: str) -> str:
    """Return a question about the method that may have been meant, if one is near."""
    known = {each.casefold(): each for each in names()}
    for model, about in anomalib_models.MODELS.items():
        if not about.refused:  # a method of this bench comes first
            known.setdefault(model.casefold(), anomalib_models.PREFIX + model)
    near = difflib.get_close_matches(name.casefold(), known, n=1, cutoff=0.75)
    return f"did you mean {known[near[0]]}? " if near else ""


def _load(point: EntryPoint) -> Any:
    try:
        return point.load()
    except Exception as error:  # whatever another package raises when it is imported
        package = point.dist.name if point.dist else point.value
        raise InputError(
            f"the method {point.name!r} of the package {package} cannot be imported: {reason(error)}"
        ) from error


def create(name: str, image_size: int, backbone: str | None = None, /, **options: Any) -> Method:
    """Build a method with random weights.

    Raises:
        InputError: there is no such method, or it does not take these options, this backbone or this size.
    """
    kind, taken = method_class(name), taken_options(name, options)
    try:
        return kind(image_size=image_size, backbone=backbone or kind.facts.default_backbone, **taken)
    except TypeError as error:
        raise InputError(f"the method {name!r} does not take these options: {error}") from None


def taken_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a method's own options as its constructor's annotations have them.

    Raises:
        InputError: there is no such method, or it has no such option, or one of another type.
    """
    if not options:
        return {}
    constructor = method_class(name).__init__
    parameters = inspect.signature(constructor).parameters
    own = [each for each in list(parameters)[1:] if each not in OF_ALL]
    free = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    refused = f"the method {name!r} does not take these options"
    if common := [each for each in OF_ALL if each in options]:
        raise InputError(f"{refused}: no {common[0]!r}: that is --{common[0].replace('_', '-')}")
    if unknown := [each for each in options if not (free or each in own)]:
        raise InputError(f"{refused}: no {unknown[0]!r}: there are {', '.join(own) or 'none'}")
    kinds, taken = _annotations(constructor), {}
    for option, value in options.items():
        try:
            taken[option] = msgspec.convert(value, kinds.get(option, Any), dec_hook=path_from_text)
        except msgspec.ValidationError as error:
            raise InputError(f"{refused}: {option}: {error}") from None
        except TypeError:  # no type of plain values: the constructor knows better
            taken[option] = value
    return taken


def _annotations(function: Callable[..., object]) -> dict[str, Any]:
    try:
        return get_type_hints(function)
    except NameError:  # of a type that is imported for type checkers only
        return {}
