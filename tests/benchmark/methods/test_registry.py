"""Finding methods by name, those of other packages too, and their options."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest
from torch import Tensor

from benchmark.config import Recipe
from benchmark.facts import Facts
from benchmark.methods import catalogue, registry
from benchmark.methods.base import OnePassMethod
from cocoad.base.errors import InputError

if TYPE_CHECKING:
    from nowhere import Nothing


class Foreign(OnePassMethod):
    """A method of another package, with options of several types."""

    facts: ClassVar[Facts] = Facts("a test", {"paper": Recipe(epochs=1)}, training="one pass")

    def __init__(
        self,
        image_size: int = 256,
        backbone: str | None = None,
        folder: Path | None = None,
        rate: float = 1.0,
        levels: tuple[int, ...] = (),
        either: list[int] | tuple[int, ...] = (),  # which msgspec does not know
    ) -> None:
        super().__init__()
        self.options = (folder, rate, levels, either)

    def fit_batch(self, images: Tensor) -> None: ...

    def fit_end(self, generator: object) -> None: ...

    def anomaly_maps(self, images: Tensor) -> Tensor:
        return images[:, 0]


class Elsewhere(Foreign):
    """A method with an annotation that is there for type checkers only."""

    def __init__(
        self, image_size: int = 256, backbone: str | None = None, other: Nothing | None = None
    ) -> None:
        super().__init__(image_size)


class Free(Foreign):
    """A method that hands its options on."""

    def __init__(self, image_size: int = 256, backbone: str | None = None, **more: object) -> None:
        super().__init__(image_size)


@pytest.fixture(autouse=True)
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three sound methods of another package, and one whose module is missing."""
    values = {kind.__name__.lower(): f"{__name__}:{kind.__name__}" for kind in (Foreign, Elsewhere, Free)}
    values["broken"] = "not_there:Method"
    points = EntryPoints(EntryPoint(*pair, registry.ENTRY_POINTS) for pair in values.items())
    for module in (registry, catalogue):
        monkeypatch.setattr(module, "entry_points", points.select)


def test_options_come_as_the_constructor_declares_them() -> None:
    method = registry.create("foreign", 64, folder="a/b", rate=2, levels=[1, 2], either=[3])
    assert method.options == (Path("a/b"), 2.0, (1, 2), [3])
    registry.create("elsewhere", 64, other="anything")
    registry.create("free", 64, anything=1)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("foreign", {"fodler": "a"}, "no 'fodler': there are folder, rate, levels, either"),
        ("foreign", {"name": 1}, "no 'name'"),
        ("foreign", {"image_size": 1}, "no 'image_size': that is --image-size"),
        ("foreign", {"folder": 1}, "folder: Expected `Path`, got `int`"),
        ("foreign", {"rate": "fast"}, "rate: Expected `float`, got `str`"),
        ("foreign", {"levels": [1.5]}, r"levels: Expected `int`, got `float` - at `\$\[0\]`"),
        ("free", {"backbone": "resnet18"}, "no 'backbone': that is --backbone"),
    ],
)
def test_an_option_of_another_name_or_type_is_refused(
    name: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=f"^the method '{name}' does not take these options: {message}"):
        registry.create(name, 64, None, **options)


def test_a_broken_package_costs_a_line_and_its_own_method_only(capsys: pytest.CaptureFixture[str]) -> None:
    found = [row.name for row in catalogue.catalogue()]
    assert {"invad", "foreign", "anomalib:Padim"} <= set(found)
    assert "broken" not in found
    line = (
        "the method 'broken' of the package not_there:Method cannot be imported: No module named 'not_there'"
    )
    assert capsys.readouterr().err == f"left out: {line}\n"
    with pytest.raises(InputError, match=f"^{line}$"):
        registry.method_class("broken")


def test_a_class_whose_facts_speak_of_another_training_is_refused_as_it_is_made() -> None:
    with pytest.raises(TypeError, match="Wrong is trained by 'one pass', its facts say 'gradient'"):

        class Wrong(Foreign):
            facts: ClassVar[Facts] = Facts("a test", {"paper": Recipe(epochs=1)})


@pytest.mark.parametrize(
    ("name", "meant"),
    [("invadd", "invad"), ("PaDiM", "padim"), ("patchcor", "patchcore"), ("fastflow", "anomalib:Fastflow")],
)
def test_a_method_that_is_near_is_asked_for(name: str, meant: str) -> None:
    with pytest.raises(InputError, match=f"no method '{name}': did you mean {meant}\\? there are invad"):
        registry.method_class(name)
