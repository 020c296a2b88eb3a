"""Denoisers and samplers, on networks whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from humobctl.errors import UsageError
from humobctl.generate.diffusion.config import STEPS, paper, tiny
from humobctl.generate.diffusion.config import DiffusionSettings as Settings
from humobctl.generate.diffusion.model import Conditioning, build, pool
from humobctl.generate.diffusion.process import Fixed, Process, Sampling, crowd_steps, sampling_of
from tests.messages import raises

# diffusers 0.42 with numpy 2
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

OBJECTIVES = ("pred_v", "pred_noise", "pred_x0", "flow")
VALUE = 1.5


class Knows(torch.nn.Module):
    """Answers as if every true day were VALUE everywhere, whatever the objective."""

    channels, classes = 2, 3

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings, self.calls = settings, 0
        self.nothing = torch.nn.Parameter(torch.zeros(1))
        schedule = Process(settings).schedule
        self.alphas = None if schedule is None else schedule.alphas_cumprod

    def forward(self, x, level, told):
        self.calls += 1
        if self.alphas is None:
            return (x - VALUE) / (level / 1000.0)[:, None, None]
        index = (level * self.settings.diffusion_steps / 1000.0).round().long()
        a = self.alphas[index].sqrt()[:, None, None]
        s = (1 - self.alphas[index]).sqrt()[:, None, None]
        noise = (x - a * VALUE) / s
        truth = torch.full_like(x, VALUE)
        v = a * noise - s * VALUE
        return {"pred_v": v, "pred_noise": noise, "pred_x0": truth}[self.settings.objective]


def generators(count: int, seed: int = 0) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed + number) for number in range(count)]


def told(days: int, classes: int = 3) -> Conditioning:
    steps = torch.arange(STEPS).expand(days, STEPS) // 48
    return Conditioning(steps % classes, steps)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("sampler", ["ddpm", "ddim", "dpm", "euler"])
def test_samplers_end_at_what_the_network_knows(objective, sampler) -> None:
    settings = Settings(objective=objective, diffusion_steps=50)
    if (objective == "flow") != (sampler == "euler"):
        with raises(UsageError, "--sampler"):
            sampling_of(settings, sampler, None)
        return
    network = Knows(settings)
    sampling = sampling_of(settings, sampler, None)
    found = Process(settings).sample(network, generators(3), None, sampling)
    assert found.shape == (3, 2, STEPS)
    np.testing.assert_allclose(found.numpy(), VALUE, atol=0.05)
    assert network.calls == sampling.evaluations == {"ddpm": 50, "dpm": 16}.get(sampler, 20)


@pytest.mark.parametrize("sampler", ["ddpm", "dpm", "euler"])
def test_what_is_known_is_kept(sampler) -> None:
    settings = Settings(objective="flow" if sampler == "euler" else "pred_v")
    where = torch.zeros(2, 2, STEPS, dtype=torch.bool)
    where[:, 0, :10] = True
    fixed = Fixed(where, torch.full((2, 2, STEPS), 7.0))
    sampling = sampling_of(settings, sampler, None)
    found = Process(settings).sample(Knows(settings), generators(2), None, sampling, fixed)
    assert (found[where] == 7.0).all()
    np.testing.assert_allclose(found[~where].numpy(), VALUE, atol=0.05)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_right_answer_has_no_loss(objective) -> None:
    settings = Settings(objective=objective)
    x = torch.full((64, 2, STEPS), VALUE)
    source = torch.Generator().manual_seed(1)
    loss = Process(settings).loss(Knows(settings), x, None, source)
    assert float(loss) < 1e-3
    other = Process(settings).loss(Knows(settings), x + 1, None, source)
    assert float(other) > 0.05


def test_guidance_goes_past_the_condition() -> None:
    settings = Settings(objective="flow")

    class Tells(Knows):
        def forward(self, x, level, told):
            wanted = torch.where(told.token == self.classes, 0.0, 1.0)[:, None]
            return (x - wanted) / (level / 1000.0)[:, None, None]

    for guidance, expected in ((0.0, 0.0), (1.0, 1.0), (3.0, 3.0)):
        sampling = Sampling("euler", 10, guidance)
        found = Process(settings).sample(Tells(settings), generators(2), told(2), sampling)
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-3)


def test_pooling_takes_means_over_events() -> None:
    x = torch.arange(STEPS, dtype=torch.float32).expand(1, 2, STEPS)
    means = pool(x, told(1))
    assert means[0, 0, ::48].tolist() == [23.5, 71.5, 119.5]
    assert means[0, 1, 47] == 23.5
    np.testing.assert_allclose(pool(x, None).numpy(), 71.5)


@pytest.mark.parametrize("denoiser", ["add", "queryonce", "querymulti", "unet-condition"])
def test_conditioned_denoisers_listen(denoiser) -> None:
    torch.manual_seed(0)
    network = build(Settings(denoiser=denoiser, width=16, layers=2, heads=2, patch=4), 4, 3).eval()
    x, level = torch.randn(2, 4, STEPS), torch.tensor([0.0, 900.0])
    one = told(2)
    found = network(x, level, one)
    assert found.shape == x.shape
    assert torch.isfinite(found).all()
    other = Conditioning((one.token + 1) % 3, one.event)
    assert not torch.allclose(found, network(x, level, other), atol=1e-4)
    assert not torch.allclose(found, network(x, level.flip(0), one), atol=1e-4)
    null = one.nothing(3, torch.tensor([True, False]))
    assert (null.token[0] == 3).all()
    assert torch.equal(null.token[1], one.token[1])
    assert torch.equal(network(x, level, null)[0], network(x, level, other.nothing(3))[0])


def test_unet_needs_no_condition() -> None:
    network = build(Settings(denoiser="unet", width=8, layers=2), 8, 0).eval()
    x = torch.randn(2, 8, STEPS)
    assert network(x, torch.zeros(2), None).shape == x.shape


def test_published_size() -> None:
    """CoPB's transformer: 4 layers of width 256, feed-forward layers of 2048 there, 1024 here."""
    parameters = sum(one.numel() for one in build(paper(), 4, 13).parameters())
    assert 3_000_000 < parameters < 4_000_000


@pytest.mark.parametrize(
    ("wrong", "option"),
    [
        ({"width": 30}, "--width"),
        ({"patch": 5}, "--patch"),
        ({"denoiser": "gan"}, "--denoiser"),
        ({"denoiser": "unet", "condition": "intent"}, "--condition"),
        ({"denoiser": "unet", "layers": 9}, "--layers"),
        ({"ema": 1.0}, "--ema"),
    ],
)
def test_settings_that_do_not_go(wrong, option) -> None:
    with raises(UsageError, option):
        Settings(**wrong)


def test_evaluations_are_crowded_where_there_is_noise() -> None:
    # 100 (1 - (i / 4) ** 1.5) = 100, 87.5, 64.6, 35.05, to the nearest, halves to even; less 1
    assert crowd_steps(100, 4) == [99, 87, 64, 34]
    assert crowd_steps(5, 5) == [4, 3, 2, 1, 0]


@given(st.integers(2, 300), st.data())
def test_evaluations_fall_and_are_different(steps, data) -> None:
    evaluations = data.draw(st.integers(1, steps))
    times = crowd_steps(steps, evaluations)
    assert len(times) == evaluations
    assert times[0] == steps - 1
    assert times[-1] >= 0
    assert (np.diff(times) < 0).all()


def test_too_many_evaluations() -> None:
    with raises(UsageError, "--steps", 500, 100):
        sampling_of(tiny(), "ddim", 500)
