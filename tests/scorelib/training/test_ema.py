"""Tests of averages of weights: the closed form, independent decays, resumption, buffers."""

import pytest
import torch
from torch import nn

from scorelib.errors import InputError
from scorelib.training.ema import Ema

DECAYS = (0.9, 0.999, 0.0)


class Net(nn.Module):
    """A network with weights of two shapes, a tied weight, a float buffer and an integer buffer."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 4)
        self.tied = nn.Linear(3, 4)
        self.tied.weight = self.linear.weight
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x):
        return self.norm(self.linear(x) + self.tied(x))


@pytest.fixture(autouse=True)
def _one_thread_and_seed():
    torch.set_num_threads(1)
    torch.manual_seed(0)


@torch.no_grad()
def walk(net, n_evaluations, seed, *emas):
    """Moves the weights at random n times; returns each visited state."""
    generator = torch.Generator().manual_seed(seed)
    visited = []
    for _ in range(n_evaluations):
        for p in net.parameters():
            p.add_(torch.randn(p.shape, generator=generator, dtype=p.dtype))
        net(torch.randn(5, 3, generator=generator, dtype=p.dtype))  # changes the buffers
        for ema in emas:
            ema.update(net)
        visited.append({k: v.clone() for k, v in net.state_dict().items()})
    return visited


@pytest.mark.parametrize("decay", DECAYS)
def test_closed_form(decay):
    net = Net().double()
    start = {k: v.clone() for k, v in net.state_dict().items()}
    ema = Ema(net, (0.5, decay))
    t = 12
    visited = walk(net, t, 1, ema)
    for name, _ in net.named_parameters():
        expected = decay**t * start[name]
        for s, weights in enumerate(visited, start=1):
            expected = expected + (1 - decay) * decay ** (t - s) * weights[name]
        torch.testing.assert_close(ema.weights(decay)[name], expected, rtol=1e-12, atol=1e-12)


def test_starts_as_a_copy():
    net = Net()
    ema = Ema(net, (0.9,))
    before = {k: v.clone() for k, v in net.state_dict().items()}
    walk(net, 1, 1)
    assert all(torch.equal(ema.weights(0.9)[k], v) for k, v in before.items())
    assert not torch.equal(net.linear.weight, before["linear.weight"])


def test_small_steps_are_not_lost_in_float32():
    """At decay 0.9999, the average approaches a constant target as mu^t, also after many steps."""
    net = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(net.weight)
    ema = Ema(net, (0.9999,))
    nn.init.ones_(net.weight)
    for _ in range(3000):
        ema.update(net)
    share = 1 - ema.weights(0.9999)["weight"].item()
    assert share == pytest.approx(0.9999**3000, rel=1e-4)


def test_several_decays_are_separate_runs_bit_for_bit():
    net = Net()
    together = Ema(net, DECAYS)
    alone = {decay: Ema(net, (decay,)) for decay in DECAYS}
    walk(net, 9, 1, together, *alone.values())
    for decay in DECAYS:
        for name, value in alone[decay].weights(decay).items():
            assert torch.equal(together.weights(decay)[name], value)


def test_resume_by_state_dict_is_exact(tmp_path):
    net, other = Net(), Net()
    ema = Ema(net, DECAYS)
    walk(net, 4, 1, ema)
    torch.save(ema.state_dict(), tmp_path / "ema.pt")
    resumed = Ema(other, DECAYS)
    resumed.load_state_dict(torch.load(tmp_path / "ema.pt", weights_only=True))
    other.load_state_dict(net.state_dict())
    walk(net, 5, 2, ema)
    walk(other, 5, 2, resumed)
    state = ema.state_dict()
    assert state.keys() == resumed.state_dict().keys()
    assert all(torch.equal(state[k], v) for k, v in resumed.state_dict().items())


def test_loading_copies():
    net = Net()
    first, second = Ema(net, (0.9,)), Ema(net, (0.9,))
    second.load_state_dict(first.state_dict())
    walk(net, 1, 1, second)
    assert not torch.equal(
        first.weights(0.9)["linear.weight"], second.weights(0.9)["linear.weight"]
    )


def test_buffers_are_the_latest_and_weights_load_into_the_module():
    net = Net()
    ema = Ema(net, (0.9,))
    walk(net, 3, 1, ema)
    copy = Net()
    copy.load_state_dict(ema.weights(0.9))
    assert copy.norm.num_batches_tracked == 3
    assert torch.equal(copy.norm.running_mean, net.norm.running_mean)
    assert not torch.equal(copy.linear.weight, net.linear.weight)


@pytest.mark.parametrize("decays", [(1.0,), (-0.1,), (0.9, 0.9), (float("nan"),)])
def test_bad_decays(decays):
    with pytest.raises(InputError, match=r"different and in \[0, 1\)"):
        Ema(nn.Linear(1, 1), decays)


def test_unknown_decay_and_foreign_state():
    ema = Ema(nn.Linear(1, 1), (0.9,))
    with pytest.raises(InputError, match=r"one of \(0.9,\), but got 0.99"):
        ema.weights(0.99)
    for foreign in (Ema(nn.Linear(1, 1), (0.99,)), Ema(nn.Linear(1, 2), (0.9,))):
        with pytest.raises(InputError, match="same module and the decays"):
            ema.load_state_dict(foreign.state_dict())
