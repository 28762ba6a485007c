"""Every method that there is, by the suite that outside authors run on theirs; and the suite finds what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmark import testing
from benchmark.config import Recipe
from benchmark.facts import Facts
from benchmark.layers.backbone import Backbone
from benchmark.methods.base import GradientMethod, OnePassMethod
from benchmark.methods.registry import facts_of, method_class, names
from benchmark.testing import CHECKS, Subject, check_method, maps_of

Check = Callable[[Subject], None]
FEWEST_STEPS, MOST_STEPS = 25, 120
SUBJECTS: dict[str, Subject] = {}
FACTS = Facts("a test", {"paper": Recipe(epochs=1, batch_size=4, learning_rate=1e-2)})


def subject(name: str) -> Subject:
    """Return a method's subject, whose small backbone and sizes are found out once."""
    return SUBJECTS.setdefault(name, Subject(method_class(name)))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("check", CHECKS[:-1], ids=lambda check: check.__name__)
def test_every_method_keeps_what_the_bench_relies_on(check: Check, name: str) -> None:
    check(subject(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_every_method_exports_or_says_why_not(name: str) -> None:
    testing.it_exports_or_says_why_not(subject(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in names() if facts_of(name).training == "gradient"])
def test_the_loss_of_a_few_images_falls(name: str) -> None:
    method = subject(name).fresh()
    assert isinstance(method, GradientMethod)
    size = subject(name).sizes[0]
    optimizer = method.train().optimizer(method.facts.presets["paper"])
    batch, losses = normal_images(size, 8, seed=1), list[float]()
    while len(losses) < FEWEST_STEPS or losses[-1] > 0.6 * losses[0]:
        assert len(losses) < MOST_STEPS, (
            f"after {len(losses)} steps the loss is still {losses[-1] / losses[0]:.0%}"
        )
        optimizer.zero_grad()
        loss = method(batch)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())


@pytest.mark.parametrize("name", [name for name in names() if facts_of(name).training == "one pass"])
def test_after_one_pass_an_obvious_anomaly_stands_out_where_it_is(name: str) -> None:
    method, size = subject(name).fresh(), subject(name).sizes[0]
    testing.learn(method, [normal_images(size, 16, seed) for seed in range(3)])
    batch = normal_images(size, 6, seed=9)
    batch[3:] = with_a_red_square(batch[3:])
    maps = maps_of(method, batch)
    scores = method.image_scores(maps)
    assert scores[3:].min() > scores[:3].max()
    assert maps[3:, 20:36, 28:44].mean() > 2 * maps[3:, 48:, :16].mean()


def normal_images(size: int, count: int, seed: int) -> Tensor:
    """Return a ramp with little noise."""
    noise = torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))
    return torch.linspace(0.2, 0.5, size) + 0.1 * noise


def with_a_red_square(images: Tensor) -> Tensor:
    anomalous = images.clone()
    anomalous[:, :, 16:40, 24:48] = torch.tensor([1.0, 0.0, 0.0])[:, None, None]
    return anomalous


class Sound(GradientMethod):
    """A method of a few lines that keeps everything."""

    facts = FACTS

    def __init__(self, image_size: int = 64, backbone: str | None = None) -> None:
        super().__init__()
        self.net = nn.Conv2d(3, 3, 3, padding=1)

    def loss(self, images: Tensor) -> Tensor:
        return (self.net(images) - images).square().mean()

    def anomaly_maps(self, images: Tensor) -> Tensor:
        return (self.net(images) - images).square().mean(1)


class MapsTooSmall(Sound):
    def anomaly_maps(self, images: Tensor) -> Tensor:
        return super().anomaly_maps(images)[:, ::2, ::2]


class MapsOfNaN(Sound):
    def anomaly_maps(self, images: Tensor) -> Tensor:
        return super().anomaly_maps(images) / 0 * 0


class TrainsItsEncoder(Sound):
    def __init__(self, image_size: int = 64, backbone: str | None = None) -> None:
        super().__init__()
        self.backbone = Backbone("test_resnet", image_size=image_size)

    def optimizer(self, recipe: Recipe) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1, weight_decay=0.1)

    def loss(self, images: Tensor) -> Tensor:
        for weight in self.backbone.parameters():
            weight.grad = torch.zeros_like(weight)
        return super().loss(images)


class ForgetsItsState(OnePassMethod):
    facts = Facts("a test", {"paper": Recipe(epochs=1)}, training="one pass")

    def __init__(self, image_size: int = 64, backbone: str | None = None) -> None:
        super().__init__()
        self.mean = torch.zeros(())

    def fit_batch(self, images: Tensor) -> None:
        self.mean = images.mean()

    def fit_end(self, generator: torch.Generator) -> None:
        pass

    def anomaly_maps(self, images: Tensor) -> Tensor:
        return (images - self.mean).abs().mean(1)


class CountsWhatItScores(Sound):
    def __init__(self, image_size: int = 64, backbone: str | None = None) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def anomaly_maps(self, images: Tensor) -> Tensor:
        self.seen += 1
        return super().anomaly_maps(images)


class LooksAtTheBatch(Sound):
    def anomaly_maps(self, images: Tensor) -> Tensor:
        maps = super().anomaly_maps(images)
        return maps - maps.mean()


class IgnoresTheSeed(Sound):
    calls = 0

    def __init__(self, image_size: int = 64, backbone: str | None = None) -> None:
        super().__init__()
        IgnoresTheSeed.calls += 1
        self.net.weight.data += IgnoresTheSeed.calls


class StaysOnTheHost(Sound):
    def anomaly_maps(self, images: Tensor) -> Tensor:
        return super().anomaly_maps(images) + torch.ones(images.shape[-1])


def test_a_sound_method_of_ones_own_passes() -> None:
    check_method(Sound, exports=False)


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        (MapsTooSmall, "maps are finite and of the right shape"),
        (MapsOfNaN, "maps are finite and of the right shape"),
        (TrainsItsEncoder, "a frozen encoder is not touched by training"),
        (ForgetsItsState, "a state dict holds all that decides the maps"),
        (CountsWhatItScores, "scoring changes nothing"),
        (LooksAtTheBatch, "any batch size gives the same maps"),
        (IgnoresTheSeed, "the same seed gives the same maps"),
        (StaysOnTheHost, "nothing is left on the host"),
    ],
)
def test_the_suite_names_what_is_wrong(kind: Any, check: str) -> None:
    with pytest.raises(AssertionError, match=f"^{kind.__name__}: {check}: "):
        check_method(kind, exports=False)
