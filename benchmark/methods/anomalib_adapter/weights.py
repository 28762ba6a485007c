"""Where the encoders that anomalib's models build get their weights: anomalib leaves no other way than to patch."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import timm
import torch
import torchvision
from torch import nn

from benchmark.layers.weights import (
    check_loaded,
    not_downloaded,
    pretrained_tensors,
    read_tensors,
)
from cocoad.base.errors import CocoadError, InputError, ResourceError, reason

OWN = {"EfficientAd": "teacher", "Dsr": "discrete_latent_model"}  # a part with weights of anomalib's own
IMAGES = {".png", ".jpg", ".jpeg"}
DATA = {"Draem": "dtd_dir", "EfficientAd": "imagenet_dir"}  # the option for a folder of other images


@contextlib.contextmanager
def replaced(owner: Any, name: str, value: object) -> Iterator[None]:
    """Let an attribute of another package's module or class be ``value`` while the block runs."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextlib.contextmanager
def encoders(weights: str, backbone: str | None) -> Iterator[None]:
    """Have encoders built inside take ``weights`` (imagenet, offline, random or a file's path) when pretrained.

    Raises:
        InputError: a file that is missing or of another network.
        ResourceError: the download failed.
    """
    from anomalib.models.image.csflow import torch_model as csflow
    from anomalib.models.image.draem import lightning_model as draem

    create: Any = timm.create_model
    fetch: Any = vars(draem)["download_and_extract"]
    vision = torchvision.models

    def create_with(name: str, *args: Any, pretrained: bool = False, **options: Any) -> nn.Module:
        def build(pretrained: bool, **more: Any) -> nn.Module:
            net: nn.Module = create(name, *args, pretrained=pretrained, **options, **more)
            return net

        return _filled(name, weights, build) if pretrained else build(False)

    def with_weights(name: str, builder: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
        def build_with(weights_enum: Any = None, **options: Any) -> nn.Module:
            enum = options.pop("weights", weights_enum)

            def build(pretrained: bool, pretrained_cfg_overlay: Any = None) -> nn.Module:
                net = builder(weights=enum if pretrained and not pretrained_cfg_overlay else None, **options)
                if pretrained_cfg_overlay:
                    net.load_state_dict(pretrained_cfg_overlay["state_dict"])
                return net

            return _filled(name, weights, build) if enum is not None else builder(weights=None, **options)

        return build_with

    with contextlib.ExitStack() as patches:
        patches.enter_context(replaced(timm, "create_model", create_with))
        for owner, name in ((csflow, "efficientnet_b5"), (vision, backbone or "")):
            if callable(builder := getattr(owner, name, None)):
                patches.enter_context(replaced(owner, name, with_weights(name, builder)))
        download = _textures(fetch, wanted=weights == "imagenet")
        patches.enter_context(replaced(draem, "download_and_extract", download))
        yield


def _textures(download: Callable[..., None], wanted: bool) -> Callable[..., None]:
    """Return DRAEM's fetching of its textures, for when it is built: only a training needs them."""

    def fetch(*arguments: Any) -> None:
        try:
            if wanted:
                download(*arguments)
        except Exception as error:  # socket, archive and hash errors alike
            raise ResourceError(
                f"could not download Draem's textures ({reason(error, 120)}): "
                "give images that you have, as --set options.dtd_dir=FOLDER"
            ) from None

    return fetch


def _filled(name: str, weights: str, build: Callable[..., nn.Module]) -> nn.Module:
    """Return a network with ``weights``, all of them; ``build`` takes what timm's create_model does."""
    if weights == "random":
        return build(False)
    if weights == "imagenet":
        try:
            return build(True)
        except Exception as error:  # hub and socket errors alike
            raise not_downloaded(name, error) from None
    tensors = pretrained_tensors(name, weights)
    state = torch.get_rng_state()
    untrained = build(False)
    torch.set_rng_state(state)
    try:
        loaded = build(True, pretrained_cfg_overlay={"state_dict": copy.copy(tensors)})
    except CocoadError:
        raise
    except Exception as error:  # whatever a network raises at weights of another one
        raise InputError(f"{weights}: no weights of {name}: {reason(error)}") from None
    check_loaded(loaded, untrained, f"{weights}: no weights of {name}")
    return loaded


def load_own_parts(name: str, module: Any, weights: str) -> None:
    """Fill a part that anomalib trained itself, and fetch the other images that a model trains with.

    Raises:
        InputError: a file that is missing or of another network.
        ResourceError: the download failed.
    """
    if name not in OWN:
        return
    part: nn.Module = getattr(module.model, OWN[name])
    if weights == "imagenet":
        try:
            path = module.prepare_pretrained_model()
            if name == "Dsr":
                module.model.load_pretrained_discrete_model_weights(path, "cpu")
            else:
                module.prepare_imagenette_data((256, 256))
        except Exception as error:  # socket, archive and hash errors alike
            raise ResourceError(
                f"could not download what {name} needs ({reason(error, 120)}): "
                "give --weights PATH to a file you have, or --weights random"
                + (f", and --set options.{DATA[name]}=FOLDER" if name in DATA else "")
            ) from None
    elif weights != "random":
        try:
            part.load_state_dict(read_tensors(Path(weights)))
        except RuntimeError as error:
            raise InputError(f"{weights}: no weights of {name}'s {OWN[name]}: {reason(error)}") from None


def has_images(folder: Path) -> bool:
    """Say whether there is an image anywhere in a folder."""
    return any(path.suffix.lower() in IMAGES for path in folder.rglob("*.*"))


def keep_own_parts(name: str, module: Any) -> None:
    """Keep the training from loading once more, over what is there, what :func:`load_own_parts` loaded."""
    if name in OWN:
        module.prepare_pretrained_model = lambda: None
    if name == "Dsr":
        module.model.load_pretrained_discrete_model_weights = lambda *_: None
