"""Optimisers by a recipe."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from benchmark.config import Recipe
from benchmark.layers.optimizers import Group, StableAdamW, optimizer_of

RECIPE = Recipe(learning_rate=1e-2, weight_decay=0.1, betas=(0.9, 0.99), eps=1e-8)


def trained(
    optimizer: Callable[[nn.Module], torch.optim.Optimizer], scale: float = 1.0, steps: int = 6
) -> Tensor:
    torch.manual_seed(0)
    network = nn.Linear(3, 2)
    chosen = optimizer(network)
    for step in range(steps):
        chosen.zero_grad()
        x = torch.randn(4, 3, generator=torch.Generator().manual_seed(step))
        (scale**step * network(x).square().sum()).backward()
        chosen.step()
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


@pytest.mark.parametrize("amsgrad", [False, True])
def test_stable_adamw_is_adamw_while_gradients_do_not_surprise(amsgrad: bool) -> None:
    def stable(network: nn.Module) -> torch.optim.Optimizer:
        return StableAdamW(network.parameters(), 1e-2, (0.9, 0.99), 1e-8, 0.1, amsgrad)

    def plain(network: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.AdamW(network.parameters(), 1e-2, (0.9, 0.99), 1e-8, 0.1, amsgrad)

    fading = 0.1  # each gradient far below its past: no step is shortened
    torch.testing.assert_close(trained(stable, fading), trained(plain, fading))
    growing = 10.0
    assert not torch.allclose(trained(stable, growing), trained(plain, growing), atol=1e-4)


def test_a_surprising_gradient_shortens_the_step_by_its_root_mean_square() -> None:
    weight = nn.Parameter(torch.zeros(4))
    optimizer = StableAdamW([weight], 1.0, (0.0, 0.75), 1e-30)
    weight.grad = torch.ones(4)
    optimizer.step()
    assert torch.allclose(weight, -torch.ones(4))
    weight.grad = torch.full((4,), 10.0)
    optimizer.step()
    # squares: 0.25·100 + 0.75·0.25·1, corrected by 1 − 0.75²; RMS = 10 / √that, and the step is 1, not RMS
    assert torch.allclose(weight, torch.full((4,), -2.0))


@pytest.mark.parametrize("name", ["adam", "adamw", "stable-adamw", "sgd"])
def test_every_optimiser_learns_each_group_at_its_own_rate_and_resumes(name: str) -> None:
    recipe = Recipe(optimizer=name, learning_rate=1e-2, batch_size=16, learning_rate_batch=8)  # type: ignore[arg-type]
    network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))

    def build(network: nn.Sequential) -> torch.optim.Optimizer:
        groups = [Group(list(network[0].parameters())), Group(list(network[1].parameters()), 0.1)]
        return optimizer_of(groups, recipe)

    optimizer = build(network)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([2e-2, 2e-3])
    network(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    twin = copy.deepcopy(network)
    other = build(twin)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for each, chosen in ((network, optimizer), (twin, other)):
        chosen.zero_grad()
        each(torch.ones(2, 3)).square().sum().backward()
        chosen.step()
    for one, same in zip(network.parameters(), twin.parameters(), strict=True):
        assert torch.equal(one, same)
