"""The conformance suite of methods: what the bench relies on, checked of a class, its own or anybody's.

>>> from benchmark.testing import check_method
>>> from benchmark.methods.floors import MeanImage
>>> check_method(MeanImage, exports=False)

With pytest every check can be a test of its own::

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_my_method(check):
        check(Subject(MyMethod))
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from benchmark.layers.frozen import FrozenEncoder
from benchmark.methods.base import GradientMethod, Method, OnePassMethod, SelfTrainedMethod
from cocoad.base.errors import InputError

# Tried in this order: the first that a method takes stands for its own, which may be large.
SMALL_BACKBONES = (
    "test_resnet",
    "test_efficientnet",
    "test_vit",
    "resnet18",
    "tf_efficientnet_b0",
    "vit_tiny_patch16_224",
)
SIZES = (64, 96, 56, 112, 128, 224)  # pixels: of these the first two that a method takes
STEPS, BATCH = 2, 4
TOLERANCE = 1e-4  # of a map's spread, between batches of different sizes


@dataclass(frozen=True)
class Subject:
    """A method's class under test, small and quick: a tiny backbone with random weights, images of noise.

    Args:
        kind: the class.
        backbone: a timm name; None: the first of a few small ones that it takes, or its own.
        options: its own options, where the defaults are too much for a test.
    """

    kind: type[Method]
    backbone: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def sizes(self) -> tuple[int, int]:
        """Two image sizes that it takes, in pixels."""
        taken = []
        for size in SIZES:
            with _refusals() as refused, torch.device("meta"):
                self._build(self.small_backbone, size)
            if not refused:
                taken.append(size)
        assert len(taken) > 1, f"takes fewer than two of the sizes {SIZES}"
        return taken[0], taken[1]

    @cached_property
    def small_backbone(self) -> str | None:
        """The backbone of the tests."""
        own = self.kind.facts.default_backbone
        if self.backbone is not None or own is None:
            return self.backbone
        for name in SMALL_BACKBONES:
            for size in SIZES:
                with _refusals() as refused:
                    self._build(name, size)
                if not refused:
                    return name
        return own

    def fresh(self, seed: int = 0, size: int | None = None) -> Method:
        """Return a method with random weights of ``seed``."""
        torch.manual_seed(seed)
        return self._build(self.small_backbone, size or self.sizes[0])

    def trained(self, seed: int = 0, size: int | None = None) -> Method:
        """Return a method that was trained a little, in eval mode."""
        size = size or self.sizes[0]
        method = self.fresh(seed, size)
        torch.manual_seed(seed)
        learn(method, [images(size, seed=seed + step) for step in range(STEPS)])
        return method.eval()

    def _build(self, backbone: str | None, size: int) -> Method:
        return self.kind(image_size=size, backbone=backbone, **self.options)


@contextmanager
def _refusals() -> Iterator[list[InputError]]:
    """Catch what a constructor refuses; the list holds it afterwards."""
    refused: list[InputError] = []
    try:
        yield refused
    except InputError as error:
        refused.append(error)


def images(size: int, count: int = BATCH, seed: int = 0) -> Tensor:
    """Return noise on a ramp: float32 (count, 3, size, size) in [0, 1]."""
    noise = torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))
    return torch.linspace(0.2, 0.5, size) + 0.4 * noise


def learn(method: Method, batches: list[Tensor]) -> None:
    """Train as the engine does, for a step on each batch."""
    recipe = replace(method.facts.presets["paper"], epochs=1, batch_size=len(batches[0]))
    if isinstance(method, GradientMethod):
        method.train()
        optimizer = method.optimizer(recipe)
        for batch in batches:
            optimizer.zero_grad()
            method(batch).backward()
            optimizer.step()
    elif isinstance(method, OnePassMethod):
        method.eval()
        with torch.no_grad():
            for batch in batches:
                method.fit_batch(batch)
            method.fit_end(torch.Generator().manual_seed(0))
    elif isinstance(method, SelfTrainedMethod):
        method.train()
        method.fit(batches, recipe, lambda done, total, loss: None)


@torch.no_grad()
def maps_of(method: Method, batch: Tensor) -> Tensor:
    """Return the maps (B, H, W) of ``batch``."""
    return method.eval().predict(batch)[0]


def maps_are_finite_and_of_the_right_shape(subject: Subject) -> None:
    """Maps are float (B, H, W), of the images' or the paper's size; scores (B,); both finite; at two image sizes."""
    for size in subject.sizes:
        method = subject.trained(size=size)
        with torch.no_grad():
            maps, scores = method.predict(images(size, 3, seed=9))
        sides = sorted({size, method.facts.score_size or size})
        allowed = [(3, side, side) for side in sides]
        assert maps.shape in allowed, f"maps are {tuple(maps.shape)}, not {' or '.join(map(str, allowed))}"
        assert scores.shape == (3,), f"scores are {tuple(scores.shape)}, not (3,)"
        assert maps.is_floating_point(), f"maps are {maps.dtype}"
        assert scores.is_floating_point(), f"scores are {scores.dtype}"
        assert maps.isfinite().all(), "maps are not finite"
        assert scores.isfinite().all(), "scores are not finite"


def a_frozen_encoder_is_not_touched_by_training(subject: Subject) -> None:
    """Neither weights nor statistics of a frozen encoder change, and it stays in eval mode."""
    method = subject.fresh()
    encoders = [module for module in method.modules() if isinstance(module, FrozenEncoder)]
    before = [copy.deepcopy(encoder.state_dict()) for encoder in encoders]
    learn(method, [images(subject.sizes[0])])
    method.train()
    for encoder, state in zip(encoders, before, strict=True):
        assert not any(module.training for module in encoder.modules()), "an encoder is in training mode"
        for name, tensor in encoder.state_dict().items():
            assert torch.equal(tensor, state[name]), f"training changed {name} of a frozen encoder"


def a_state_dict_holds_all_that_decides_the_maps(subject: Subject) -> None:
    """Weights saved and loaded into another instance give the same maps, bit by bit."""
    batch = images(subject.sizes[0], seed=9)
    method, other = subject.trained(), subject.fresh(seed=1)
    state = {name: tensor.clone() for name, tensor in method.state_dict().items()}
    other.load_state_dict(state)
    assert torch.equal(maps_of(other, batch), maps_of(method, batch)), "maps differ after a round trip"


def scoring_changes_nothing(subject: Subject) -> None:
    """The maps of a batch are the same the second time, and the state is as it was."""
    batch, method = images(subject.sizes[0], seed=9), subject.trained()
    before = copy.deepcopy(method.state_dict())
    assert torch.equal(maps_of(method, batch), maps_of(method, batch)), "maps differ the second time"
    for name, tensor in method.state_dict().items():
        assert torch.equal(tensor, before[name]), f"scoring changed {name}"


def any_batch_size_gives_the_same_maps(subject: Subject) -> None:
    """An image's map does not depend on the images beside it."""
    batch, method = images(subject.sizes[0], 5, seed=9), subject.trained()
    together = maps_of(method, batch)
    alone = torch.cat([maps_of(method, one) for one in batch[:, None]])
    worst = float((together - alone).abs().max())
    allowed = TOLERANCE * float(together.amax() - together.amin()) + 1e-6
    assert worst <= allowed, f"maps of one image and of five differ by {worst:.1e}, more than {allowed:.1e}"


def the_same_seed_gives_the_same_maps(subject: Subject) -> None:
    """Construction and training are functions of torch's seed and the generator that is given."""
    batch = images(subject.sizes[0], seed=9)
    first, second = maps_of(subject.trained(), batch), maps_of(subject.trained(), batch)
    assert torch.equal(first, second), "two trainings with the same seed differ"


def nothing_is_left_on_the_host(subject: Subject) -> None:
    """On a GPU neither training nor scoring has a tensor on the host, or waits for a value.

    Tried without one: fake tensors have a device and no memory, and raise where devices meet or a value is
    asked for.
    """
    size, trained, fresh = subject.sizes[0], subject.trained(), subject.fresh()
    if isinstance(fresh, GradientMethod):
        with on_a_fake_gpu(fresh, size) as batch:
            assert fresh.train().loss(batch).is_cuda, "the loss is on the host"
    with on_a_fake_gpu(trained, size) as batch:
        with torch.no_grad():
            maps, scores = trained.eval().predict(batch)
        assert maps.is_cuda, "maps are on the host"
        assert scores.is_cuda, "scores are on the host"


@contextmanager
def on_a_fake_gpu(method: Method, size: int) -> Iterator[Tensor]:
    """Move a method to a GPU that there is not; yield a batch (B, 3, size, size) that lies there."""
    with FakeTensorMode() as mode:
        for module in method.modules():
            for tensors in (module._parameters, module._buffers):
                for name, tensor in tensors.items():
                    if tensor is not None:
                        tensors[name] = mode.from_tensor(tensor).to("cuda")  # type: ignore[assignment]
        yield torch.rand(BATCH, 3, size, size, device="cuda")


def it_exports_or_says_why_not(subject: Subject) -> None:
    """The ONNX file gives PyTorch's maps, or the method is refused in one line."""
    from benchmark.inference.onnx import export_onnx
    from benchmark.inference.trained import TrainedModel

    size = subject.sizes[0]
    model = TrainedModel(subject.trained(), torch.device("cpu"), name=subject.kind.__name__, image_size=size)
    with tempfile.TemporaryDirectory() as folder, _refusals() as refused:
        export_onnx(model, Path(folder) / "model.onnx")
    assert not any("\n" in str(error) for error in refused), f"more than a line: {refused[0]}"


def it_says_what_it_is(subject: Subject) -> None:
    """Source, published recipe and version are there."""
    facts = subject.kind.facts
    assert facts.source, "no source"
    assert "paper" in facts.presets, "no recipe named paper"
    assert facts.version >= 1, "versions begin with 1"


CHECKS: tuple[Callable[[Subject], None], ...] = (
    it_says_what_it_is,
    maps_are_finite_and_of_the_right_shape,
    a_frozen_encoder_is_not_touched_by_training,
    a_state_dict_holds_all_that_decides_the_maps,
    scoring_changes_nothing,
    any_batch_size_gives_the_same_maps,
    the_same_seed_gives_the_same_maps,
    nothing_is_left_on_the_host,
    it_exports_or_says_why_not,
)


def check_method(
    kind: type[Method],
    *,
    backbone: str | None = None,
    options: Mapping[str, Any] | None = None,
    exports: bool = True,
) -> None:
    """Check that a method keeps what the bench relies on; takes some seconds on a CPU.

    Args:
        kind: its class.
        backbone: a timm name; None: the first of a few small ones that it takes, or its own.
        options: its own options, where the defaults are too much for a test.
        exports: try the export too, which needs the extra ``onnx`` and takes longest.

    Raises:
        AssertionError: it does not; the message says which check failed, and how.
    """
    subject = Subject(kind, backbone, options or {})
    for check in CHECKS:
        if check is it_exports_or_says_why_not and not exports:
            continue
        try:
            check(subject)
        except Exception as error:
            wrong = f"{kind.__name__}: {check.__name__.replace('_', ' ')}: {type(error).__name__}: {error}"
            raise AssertionError(wrong) from error
