"""One of anomalib's models as a method of this bench.

``anomalib:NAME`` is the class NAME of ``anomalib.models`` (https://anomalib.readthedocs.io), one model for all
classes of a dataset. Its own Lightning module trains it; options (``options.NAME``) are its constructor's.
"""

from __future__ import annotations

import contextlib
import inspect
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from benchmark.config import Recipe
from benchmark.layers.anomaly_maps import resized_maps
from benchmark.methods.anomalib_adapter.known import MODELS, PREFIX, Known, canonical, facts_of
from benchmark.methods.anomalib_adapter.training import quiet, train
from benchmark.methods.anomalib_adapter.weights import (
    DATA,
    encoders,
    has_images,
    keep_own_parts,
    load_own_parts,
)
from benchmark.methods.base import Epochs, Method, SelfTrainedMethod
from cocoad.base.errors import CocoadError, InputError, reason

OURS = ("self", "pre_processor", "post_processor", "evaluator", "visualizer", "pre_trained")
PATCHES = re.compile(r"patch(\d+)|_(1[46])$")  # the patch size in a vision transformer's name
MCAIT_SIZE = 448  # pixels: the one size that U-Flow's own backbone takes


def adapted(name: str) -> type[Method]:
    """Return the method of anomalib's model ``name``, in any mixture of cases; anomalib is not imported yet.

    Raises:
        InputError: there is no such model, it cannot work here (the error says why), or anomalib is missing.
    """
    facts, name = facts_of(name), canonical(name)
    return type(name, (AnomalibMethod,), {"model": name, "known": MODELS[name], "facts": facts})


class AnomalibMethod(SelfTrainedMethod):
    """A model of anomalib. Of the recipe, ``epochs``, ``batch_size`` and ``precision`` are heeded.

    Args:
        image_size: pixels, square; a vision transformer is given the next smaller multiple of its patches.
        backbone: what the model calls its encoder, for those that have one to choose, else None.
        options: of the model's constructor.

    Raises:
        InputError: options, a backbone or a size that the model does not take.
    """

    model: ClassVar[str]
    known: ClassVar[Known]

    def __init__(self, image_size: int = 256, backbone: str | None = None, **options: Any) -> None:
        super().__init__()
        if backbone is not None and self.known.backbone is None:
            raise InputError(f"{PREFIX}{self.model} has no backbone to choose")
        self.backbone_name = backbone or self.known.backbone
        self.options, self.size = options, input_size(self.model, self.backbone_name, image_size)
        self.weights = "random"
        self._build("random")
        self.register_state_dict_post_hook(_without_aliases)  # type: ignore[no-untyped-call]

    @property
    def module(self) -> Any:
        """anomalib's Lightning module; what it learns is in ``network``."""
        return self._module[0]

    def load_backbones(self, weights: str) -> None:
        """Build the model again, on pretrained ``weights`` this time, and fetch what else it trains with."""
        if (
            weights not in ("random", "imagenet")
            and self.known.backbone is None
            and self.model not in _OWN_FILES
        ):
            raise InputError(
                f"{PREFIX}{self.model} takes no file of weights: give --weights imagenet or random"
            )
        self.weights = weights
        if weights != "random":
            self._build(weights)
            with quiet():
                load_own_parts(self.model, self.module, weights)

    def fit(self, batches: Epochs, recipe: Recipe, heard: Callable[[int, int, Tensor], None]) -> None:
        """Train the model as anomalib does."""
        if recipe.batch_size != 1 and self.known.batch_size == 1:
            raise InputError(f"{PREFIX}{self.model} trains on one image at a time: leave --batch-size at 1")
        self._check_data()
        keep_own_parts(self.model, self.module)
        if hasattr(self.module, "epochs"):
            self.module.epochs = recipe.epochs  # the length of the learning rate's schedule
        with self._one_line_errors("was not trained"):
            if recipe.epochs:
                train(self.module, batches, recipe, next(self.parameters()).device, heard)
        for tensor in (*self.parameters(), *self.buffers()):
            # As it lies when it is loaded: products of what lies otherwise may differ in their last bit.
            tensor.data = tensor.data.contiguous()

    def anomaly_maps(self, images: Tensor) -> Tensor:
        """Return the model's maps, brought to the images' size by bilinear interpolation."""
        return self.predict(images)[0]

    def predict(self, images: Tensor, size: int | None = None) -> tuple[Tensor, Tensor]:
        """Return the maps and the model's own image scores, which need not be the maps' maxima."""
        found = self.network(self.transform(images.contiguous()))
        if found.anomaly_map is None:
            raise InputError(f"{PREFIX}{self.model} gives no anomaly maps with these options")
        maps = found.anomaly_map.reshape(-1, *found.anomaly_map.shape[-2:]).float()
        maps = resized_maps(maps, images.shape[-1] if size is None else size)
        scores = found.pred_score
        return maps, self.image_scores(maps) if scores is None else scores.reshape(-1).float()

    def _build(self, weights: str) -> None:
        """Make the module and its network, the only part that is kept as weights."""
        if not Path(weights).is_file() and weights not in ("random", "imagenet", "offline"):
            raise InputError(f"no weights at {weights}: give a file, or one of imagenet, offline, random")
        with (
            self._one_line_errors("was not built"),
            quiet(),
            _seeded(),
            encoders(weights, self.backbone_name),
        ):
            import anomalib.models

            kind = getattr(anomalib.models, self.model)
            takes = [name for name in inspect.signature(kind).parameters if name not in OURS]
            if unknown := [name for name in self.options if name not in takes]:
                raise InputError(
                    f"{PREFIX}{self.model} has no option {unknown[0]!r}: there are {', '.join(takes)}"
                )
            self.transform = _transform(kind, self.size)
            options = self._implied() | self.options
            module = kind(**options, **_quiet_parts(self.transform))
        self._module = (module,)  # not a submodule: much of it is the network once more
        self.network: nn.Module = module.model

    def _implied(self) -> dict[str, Any]:
        """Return the constructor's options that follow from size, backbone and weights."""
        implied: dict[str, Any] = {}
        if self.backbone_name is not None:
            implied[self.known.backbone_option] = self.backbone_name
        if self.model == "UniNet":
            implied["student_backbone"] = self.backbone_name
        elif self.model == "Glass":
            implied["input_shape"] = (self.size, self.size)
        elif self.model == "FoundAD":
            implied["image_size"] = self.size
        elif self.model == "SuperADD":
            implied["patch_size"] = min(self.size, 448)
        elif self.model == "Fre":
            implied["input_dim"] = _features(str(self.backbone_name), self.size, self.options)
        if self.model in DATA:
            from anomalib.utils.path import resolve_dataset_root

            folder = resolve_dataset_root(None, DATA[self.model].removesuffix("_dir"))
            with contextlib.suppress(OSError):
                folder.rmdir()  # only if it is empty: what a broken download left would pass for the whole
            implied[DATA[self.model]] = folder
        return implied

    def _check_data(self) -> None:
        option = DATA.get(self.model)
        if option is None:
            return
        downloaded = self._implied()[option] if self.weights == "imagenet" else None
        given = self.options.get(option, downloaded)
        if given is None or not has_images(Path(given)):
            raise InputError(f"{PREFIX}{self.model} needs {self.known.needs}")

    @contextlib.contextmanager
    def _one_line_errors(self, what: str) -> Iterator[None]:
        """Give whatever anomalib raises at what it cannot do as one line."""
        try:
            yield
        except (CocoadError, MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            if "DefaultCPUAllocator" in str(error):
                raise
            why = f"{type(error).__name__}: {reason(error)}"
            raise InputError(f"{PREFIX}{self.model} {what} at {self.size} pixels ({why})") from error

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Take state of whatever size the training gave it: memory banks, components."""
        for name, buffer in list(self.network.named_buffers()):
            stored = state_dict.get(f"{prefix}network.{name}")
            if isinstance(stored, Tensor) and stored.shape != buffer.shape:
                owner, _, key = name.rpartition(".")
                setattr(self.network.get_submodule(owner), key, buffer.new_empty(stored.shape))
        for alias, name in _aliases(self.network).items():
            if f"{prefix}network.{name}" in state_dict:
                state_dict[f"{prefix}network.{alias}"] = state_dict[f"{prefix}network.{name}"]
        super()._load_from_state_dict(state_dict, prefix, *rest)


def _aliases(network: nn.Module) -> dict[str, str]:
    """Return the second and further names of each tensor that a network has twice, and its first one."""
    first: dict[int, str] = {}
    names = ((name, id(tensor)) for name, tensor in network.state_dict(keep_vars=True).items())
    return {name: first[key] for name, key in names if first.setdefault(key, name) != name}


def _without_aliases(method: nn.Module, state: dict[str, Any], prefix: str, metadata: Any) -> None:
    """Leave one name to each tensor: a file of weights holds it once."""
    assert isinstance(method, AnomalibMethod)
    for alias in _aliases(method.network):
        state.pop(f"{prefix}network.{alias}", None)


_OWN_FILES = ("EfficientAd", "Dsr", "L2BT", "Csflow")  # models without a choice of backbone that take a file


def input_size(model: str, backbone: str | None, image_size: int) -> int:
    """Return the side, in pixels, at which a model is given images of ``image_size``."""
    if model == "Uflow" and backbone == "mcait":
        return MCAIT_SIZE
    found = PATCHES.search("patch14" if model == "L2BT" else backbone or "")
    patch = int(found[1] or found[2]) if found else 1
    return max(patch, image_size // patch * patch)


def _features(backbone: str, size: int, options: dict[str, Any]) -> int:
    """Return the number of features that FRE's autoencoder reconstructs."""
    from anomalib.models.components import TimmFeatureExtractor

    layer, pooled = options.get("layer", "layer3"), options.get("pooling_kernel_size", 2)
    with torch.device("meta"):
        extractor = TimmFeatureExtractor(backbone=backbone, layers=[layer], pre_trained=False)
        channels, height, width = extractor(torch.empty(1, 3, size, size))[layer].shape[1:]
    return int(channels * (height // pooled) * (width // pooled))


def _transform(kind: Any, size: int) -> Any:
    """Return the model's own preparation of an image, at ``size`` instead of its own size and crop."""
    from torchvision.transforms.v2 import Compose, Normalize, Resize

    own = kind.configure_pre_processor().transform
    steps = own.transforms if isinstance(own, Compose) else [own]
    normalisation = [step for step in steps if isinstance(step, Normalize)]
    return Compose([Resize((size, size), antialias=True), *normalisation])


def _quiet_parts(transform: Any) -> dict[str, Any]:
    """Return the parts of a module that prepare, score, count and draw: only the first is anomalib's here."""
    from anomalib.pre_processing import PreProcessor

    others = dict.fromkeys(("post_processor", "evaluator", "visualizer"), False)
    return {"pre_processor": PreProcessor(transform), **others}


@contextlib.contextmanager
def _seeded() -> Iterator[None]:
    """Have constructors that draw from Python's and numpy's generators draw the same for a torch seed."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    random.seed(torch.initial_seed())
    np.random.seed(torch.initial_seed() % 2**32)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
