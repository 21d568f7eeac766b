"""Files in the authors' layouts: written as they write them, and read to equal tensors."""

import pytest
import torch

from scorelib.errors import InputError
from scorelib.networks import DdpmUNet, Ncsn, Ncsnv2, ResidualMlp
from scorelib.schedules import GeometricSchedule
from scorelib.weights import read, to_published
from scorelib.weights.architectures import Published
from tests.scorelib.weights.formula import (
    LAYOUTS,
    NETWORKS,
    content,
    levels,
    others,
    prefixed,
    weights,
    write,
)

EVERY = [(name, layout) for name, layouts in LAYOUTS.items() for layout in layouts]


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def alive(state):
    """Tensors without those that no network uses, which are written as zeros."""
    dead = {name: t for name, t in state.items() if "temb_dense" in name}
    return {name: t for name, t in state.items() if name not in dead}


@pytest.mark.parametrize(("name", "layout"), EVERY)
def test_a_file_written_is_the_authors_file(name, layout, tmp_path):
    network = NETWORKS[name]
    averaged, latest = (Published(network, 3).imported(t(name)) for t in (weights, others))
    path = tmp_path / "new" / "ours.pth"
    to_published(path, layout, network, levels(name), averaged, latest=latest, decay=0.999, step=7)
    saved, expected = torch.load(path, weights_only=True), content(name, layout)
    if layout == "score-sde":
        assert list(saved["model"]) == list(expected["model"])
        torch.testing.assert_close(saved["model"], expected["model"], rtol=1e-12, atol=0)
        assert same(dict(enumerate(saved["ema"].pop("shadow_params"))),
                    dict(enumerate(expected["ema"].pop("shadow_params"))))  # fmt: skip
        assert saved["ema"] == expected["ema"] and saved["step"] == 7
        assert saved.keys() == expected.keys()
    elif layout == "ncsn":
        assert len(saved) == 2
        assert same(saved[0], prefixed(weights(name)))
    else:
        assert len(saved) == 5 and saved[3] == 7
        torch.testing.assert_close(alive(saved[0]), alive(expected[0]), rtol=2e-7, atol=0)
        assert same(alive(saved[4]), alive(expected[4]))
        for entry in (0, 4):
            shapes = [{n: t.shape for n, t in of[entry].items()} for of in (saved, expected)]
            assert shapes[0] == shapes[1]
    again = read(path, layout, schedule=levels(name))
    assert same(again.state, averaged)
    assert (again.network, again.schedule) == (network, levels(name))


def test_a_network_trained_here_comes_back_with_its_schedule(tmp_path):
    network = Ncsnv2(ngf=4, multipliers=(2, 2, 3, 3))
    schedule = GeometricSchedule(sigma_1=7.3, sigma_L=0.05, n_levels=20)
    state = network.build((1, 8, 8)).state_dict()
    to_published(tmp_path / "f.pth", "ncsnv2", network, schedule, state)
    found = read(tmp_path / "f.pth")
    assert same(found.state, state)
    assert found.require_schedule() == schedule and found.n_channels == 1
    # ngf is the width of the first convolution: multipliers are in units of it.
    assert found.network.build((1, 8, 8)).state_dict().keys() == state.keys()


@pytest.mark.parametrize(
    ("layout", "network", "words"),
    [
        ("ncsnv2", Ncsn(ngf=4), "must hold one of Ncsnv2"),
        ("ncsn", Ncsnv2(ngf=4), "must hold one of Ncsn"),
        ("score-sde", ResidualMlp(), "must hold one of NcsnPp"),
        ("edm", Ncsnv2(ngf=4), "must be one of"),
        ("adversarial-score-matching", DdpmUNet(width=32), "centres_input False"),
        ("ncsnv2", Ncsnv2(ngf=4, multipliers=(1, 2, 2)), "4, 5 or 6 stages"),
        ("ncsn", Ncsn(ngf=4), "must be the network's"),
        ("ncsnv2", Ncsnv2(ngf=6), "of another shape"),
    ],
)
def test_what_no_program_would_read_is_not_written(layout, network, words, tmp_path):
    state = Ncsnv2(ngf=4).build((3, 16, 16)).state_dict()
    with pytest.raises(InputError, match=words):
        to_published(tmp_path / "f.pth", layout, network, levels("ncsnv2_32"), state)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "f.pth"
    name = "ncsnv2_32"
    found = read(write(path, weights(name)))
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InputError, match="No space left"):
        to_published(path, "ncsnv2", NETWORKS[name], levels(name), found.state)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
