"""The mathematics of methods that fit in one pass. What they have in common with all: test_conformance.py."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchmark.layers import coreset
from benchmark.layers.coreset import greedy_coreset
from benchmark.layers.patches import joined_levels
from benchmark.methods.base import OnePassMethod
from benchmark.methods.registry import create
from cocoad.base.errors import InputError

OPTIONS = {"padim": {"dimensions": 12}, "patchcore": {"memory_bank": 200}}
SIZE = 64


def normal_images(count: int, seed: int) -> Tensor:
    ramp = torch.linspace(0.2, 0.5, SIZE)
    noise = torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))
    return ramp + 0.1 * noise


def fitted(name: str, seed: int = 0) -> OnePassMethod:
    torch.manual_seed(seed)
    method = create(name, SIZE, "test_resnet", **OPTIONS[name]).eval()
    assert isinstance(method, OnePassMethod)
    with torch.no_grad():
        for batch in normal_images(40, 1).split(16):
            method.fit_batch(batch)
        method.fit_end(torch.Generator().manual_seed(0))
    return method


@pytest.mark.parametrize("name", OPTIONS)
def test_another_seed_makes_another_method_of_the_same_backbone(name: str) -> None:
    def learned(seed: int) -> Tensor:
        torch.manual_seed(seed)
        method = create(name, SIZE, "test_resnet", **OPTIONS[name]).eval()
        assert isinstance(method, OnePassMethod)
        method.backbone.load_state_dict(weights)  # type: ignore[union-attr]
        with torch.no_grad():
            for batch in normal_images(40, 1).split(16):
                method.fit_batch(batch)
        return method.state_dict()["selected" if name == "padim" else "bank"]

    weights = create(name, SIZE, "test_resnet").backbone.state_dict()  # type: ignore[union-attr]
    assert torch.equal(learned(1), learned(1))
    assert not torch.equal(learned(1), learned(2))


def test_padim_is_the_mahalanobis_distance_of_all_images_features() -> None:
    method = fitted("padim")
    with torch.no_grad():
        features = joined_levels(method.backbone(normal_images(40, 1)))[:, method.selected]  # type: ignore[operator]
        place = features[:, :, 3, 5].double()
        covariance = place.T.cov() + 0.01 * torch.eye(12, dtype=torch.float64)
        probe = joined_levels(method.backbone(normal_images(1, 9)))[0, method.selected, 3, 5]  # type: ignore[operator]
        centred = probe.double() - place.mean(0)
        expected = (centred @ covariance.inverse() @ centred).sqrt()
        at = 3 * (SIZE // 4) + 5
        whitened = method.whitening[at] @ (probe - method.mean[at])  # type: ignore[index]
    torch.testing.assert_close(whitened.norm().double(), expected, rtol=1e-3, atol=1e-4)


def test_patchcores_memory_does_not_grow_with_the_images() -> None:
    torch.manual_seed(0)
    method = create("patchcore", SIZE, "test_resnet", memory_bank=100).eval()
    assert isinstance(method, OnePassMethod)
    most = 0
    with torch.no_grad():
        for seed in range(30):
            method.fit_batch(normal_images(4, seed))  # 4 · 64 patches
            most = max(most, len(method.bank) + sum(len(part) for part in method._waiting))  # type: ignore[arg-type]
        method.fit_end(torch.Generator().manual_seed(0))
    assert most < 4 * 100
    assert len(method.bank) == 100  # type: ignore[arg-type]


@pytest.mark.parametrize("followed", [1, 2, 7, 100, 2048])
def test_a_greedy_coreset_covers_as_the_textbook_algorithm_does(
    followed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coreset, "FARTHEST", followed)
    monkeypatch.setattr(coreset, "ROWS", 64)
    points = torch.rand(300, 5, generator=torch.Generator().manual_seed(0))
    chosen = greedy_coreset(points, 60, torch.Generator().manual_seed(1)).tolist()
    expected = [chosen[0]]
    for _ in range(59):
        expected.append(int(torch.cdist(points, points[expected]).amin(1).argmax()))
    assert chosen == expected


def test_a_coreset_of_few_points_is_all_of_them() -> None:
    assert greedy_coreset(torch.rand(5, 3), 9, torch.Generator()).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("name", "options"), [("padim", {"dimensions": 10_000}), ("patchcore", {"memory_bank": 0})]
)
def test_options_out_of_range_are_refused(name: str, options: dict[str, int]) -> None:
    with pytest.raises(InputError, match="keeps 1"):
        create(name, SIZE, "test_resnet", **options)
