"""The conditional flow beside its definition, and its positions beside theirs."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmark.layers.flow import ConditionalFlow, Coupling, sine_positions


def moved_flow(channels: int, condition: int = 8, blocks: int = 3) -> ConditionalFlow:
    torch.manual_seed(0)
    flow = ConditionalFlow(channels, condition, blocks).double()
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return flow


def literally(flow: ConditionalFlow, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
    """Return one vector's image and the log-determinant, coupling by coupling and channel by channel."""
    log_det = torch.zeros((), dtype=x.dtype)
    for block in flow.blocks:
        active = len(x) - len(x) // 2
        entry, end = block.subnet
        hidden = torch.relu(entry.weight @ torch.cat([x[:active], condition]) + entry.bias)
        out = 0.1 * (end.weight @ hidden + end.bias)
        y = x.clone()
        for i in range(len(x) // 2):
            log_scale = 1.9 * torch.tanh(out[i])
            y[active + i] = x[active + i] * torch.exp(log_scale) + out[len(x) // 2 + i]
            log_det = log_det + log_scale
        z = torch.zeros_like(y)
        for i, source in enumerate(block.permutation.tolist()):
            scale = 0.1 * 2 * torch.log(1 + torch.exp(0.5 * block.scale[source]))
            z[i] = y[source] * scale + block.offset[source]
            log_det = log_det + torch.log(scale)
        x = z
    return x, log_det


@pytest.mark.parametrize("channels", [6, 7])
def test_the_likelihood_is_the_normal_one_of_the_image_times_the_determinant(channels: int) -> None:
    flow = moved_flow(channels)
    features, condition = torch.randn(2, 5, channels).double(), torch.randn(5, 8).double()
    with torch.no_grad():
        found = flow.float()(features.float(), condition.float())
        flow.double()
        for image in range(2):
            for place in range(5):
                z, log_det = literally(flow, features[image, place], condition[place])
                normal = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum()
                assert found[image, place].item() == pytest.approx((normal + log_det).item(), rel=1e-4)


def test_the_determinant_is_that_of_the_jacobian() -> None:
    flow = moved_flow(6, blocks=2)
    x, condition = torch.randn(6).double(), torch.randn(8).double()
    jacobian = torch.autograd.functional.jacobian(lambda value: literally(flow, value, condition)[0], x)
    _, log_det = literally(flow, x, condition)
    assert torch.linalg.slogdet(jacobian).logabsdet.item() == pytest.approx(log_det.item(), rel=1e-6)


def test_a_coupling_starts_close_to_a_permutation() -> None:
    torch.manual_seed(0)
    block = Coupling(64, 8)
    x = torch.randn(1, 3, 64)
    with torch.no_grad():
        found, log_det = block(x, torch.zeros(3, 8))
    torch.testing.assert_close(found, x[..., block.permutation], rtol=0.2, atol=0.2)
    assert log_det.abs().max() < 3


def test_positions_are_sines_and_cosines_of_column_and_row() -> None:
    positions = sine_positions(16, 3, 5)
    assert positions.shape == (15, 16)
    for row in range(3):
        for column in range(5):
            for index in range(4):
                rate = 10_000 ** (-2 * index / 8)
                expected = [f(place * rate) for place in (column, row) for f in (math.sin, math.cos)]
                found = positions[row * 5 + column][[2 * index, 2 * index + 1, 8 + 2 * index, 9 + 2 * index]]
                assert found.tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
def test_it_is_the_flow_that_frEIA_builds_for_the_paper() -> None:
    framework = pytest.importorskip("FrEIA.framework")
    modules = pytest.importorskip("FrEIA.modules")

    def subnet(inputs: int, outputs: int) -> nn.Module:
        return nn.Sequential(nn.Linear(inputs, 2 * inputs), nn.ReLU(), nn.Linear(2 * inputs, outputs))

    other: Any = framework.SequenceINN(12)
    for _ in range(4):
        other.append(
            modules.AllInOneBlock, cond=0, cond_shape=(8,), subnet_constructor=subnet,
            affine_clamping=1.9, global_affine_type="SOFTPLUS", permute_soft=False,
        )  # fmt: skip
    flow = moved_flow(12, blocks=4).float()
    with torch.no_grad():
        for ours, theirs in zip(flow.blocks, other.module_list, strict=True):
            for source, target in zip(ours.subnet, (theirs.subnet[0], theirs.subnet[2]), strict=True):
                target.load_state_dict(source.state_dict())
            theirs.global_scale.copy_(ours.scale.reshape(theirs.global_scale.shape))
            theirs.global_offset.copy_(ours.offset.reshape(theirs.global_offset.shape))
            theirs.w_perm.copy_(torch.eye(12)[ours.permutation])
        features, condition = torch.randn(1, 9, 12), torch.randn(9, 8)
        z, log_det = other(features[0], [condition])
        expected = -6 * math.log(2 * math.pi) - 0.5 * z.square().sum(1) + log_det
        torch.testing.assert_close(flow(features, condition)[0], expected, rtol=1e-4, atol=1e-4)
