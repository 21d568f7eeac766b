"""Every published architecture, layout and container: the answers of the authors' network."""

import pytest
import torch

from scorelib.weights import read
from scorelib.weights.architectures import Published
from tests.scorelib.weights.formula import (
    FACTS,
    LAYOUTS,
    NETWORKS,
    content,
    images,
    levels,
    others,
    weights,
    write,
)

EVERY = [(name, layout) for name, layouts in LAYOUTS.items() for layout in layouts]


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.mark.parametrize("name", FACTS)
def test_the_formulas_are_those_of_the_facts(name):
    total = sum(t.double().sum().item() for t in weights(name).values())
    assert total == pytest.approx(FACTS[name]["sum_of_weights"], rel=1e-12, abs=1e-9)
    assert images(name)[0].sum().item() == pytest.approx(FACTS[name]["sum_of_input"], rel=1e-12)


def recorded_at(answer, name):
    """What was recorded, of our answer: sigma * score is divided where the authors' is a score."""
    if FACTS[name]["divide_ours_by_sigma"]:
        answer = answer / images(name)[1].to(answer).view(-1, 1, 1, 1)
    return answer


@pytest.mark.parametrize(("name", "layout"), EVERY)
def test_a_file_gives_the_recorded_answers(name, layout, tmp_path):
    said = None if layout in ("ncsnv2", "score-sde") else levels(name)
    file = write(tmp_path / "new.pth", content(name, layout))
    checkpoint = read(file, layout, schedule=said)
    assert (checkpoint.network, checkpoint.format) == (NETWORKS[name], layout)
    assert checkpoint.require_schedule() == levels(name)
    network = checkpoint.build(tuple(FACTS[name]["shape"]))
    assert not network.training

    expected = FACTS[name]["output"]
    x, sigma = images(name)
    with torch.no_grad():
        single = recorded_at(network(x.float(), sigma.float()), name).double()
        double = recorded_at(network.double()(x, sigma), name)
    values = torch.tensor(expected["value"], dtype=torch.float64)
    for answer, tolerance in ((double, 1e-9), (single, 1e-5 * expected["max_abs"])):
        at = answer.flatten()[expected["index"]]
        torch.testing.assert_close(at, values, rtol=0, atol=tolerance)
        assert answer.abs().max().item() == pytest.approx(expected["max_abs"], abs=tolerance)
        deviation = answer.std(correction=0).item()
        assert deviation == pytest.approx(expected["std"], abs=tolerance)
    assert double.sum().item() == pytest.approx(expected["sum"], abs=1e-9 * double.numel())


def same(state, tensors, network):
    """Whether a state is the one of these published tensors."""
    expected = Published(network, 3).imported(tensors)
    return state.keys() == expected.keys() and all(
        torch.equal(state[n], expected[n]) for n in state
    )


@pytest.mark.parametrize(("name", "layout"), EVERY)
def test_the_old_container_gives_the_same_with_averages_and_without(name, layout, tmp_path):
    network = NETWORKS[name]
    file = write(tmp_path / "old.pth", content(name, layout), old=True)
    averaged = read(file, schedule=levels(name))
    assert averaged.network == network and same(averaged.state, weights(name), network)
    if layout != "ncsn":
        raw = read(file, schedule=levels(name), ema=False)
        assert any("EMA" in note for note in averaged.notes) and "without averaging" in raw.notes[0]
        assert same(raw.state, others(name), network)


@pytest.mark.parametrize("name", ["ncsn_32", "ncsnv2_32", "ncsnpp_ve_32"])
def test_bare_states_are_read(name, tmp_path):
    bare = read(write(tmp_path / "bare.pth", weights(name)), schedule=levels(name))
    assert (bare.format, bare.network) == ("state-dict", NETWORKS[name])
    assert same(bare.state, weights(name), NETWORKS[name])


@pytest.mark.parametrize(("name", "layout"), EVERY)
def test_every_tensor_is_tied_once_and_comes_back(name, layout):
    published = Published(NETWORKS[name], 3)
    ours = [key for tie in published.ties for key in tie.ours]
    assert sorted(ours) == sorted(published.our_shapes)
    back = published.exported(published.imported(weights(name)))
    tensors = {key: t for key, t in weights(name).items() if not key.startswith("temb_dense")}
    assert back.keys() - tensors.keys() == weights(name).keys() - tensors.keys()
    assert all(torch.equal(back[key], t) for key, t in tensors.items())
    if layout == "score-sde":  # the order is what tells the averages apart
        assert list(back) == list(weights(name))


@pytest.mark.parametrize("n_blocks", [4, 8])
def test_deeper_networks_of_cifar10_are_recognised(n_blocks, tmp_path):
    network = NETWORKS["ncsnpp_ve_32"].replace(width=4, n_blocks=n_blocks)
    state = network.build((3, 32, 32)).state_dict()
    file = write(tmp_path / "f.pth", Published(network, 3).exported(state))
    found = read(file, "state-dict", schedule=levels("ncsnpp_ve_32"))
    assert found.network == network
    assert all(torch.equal(found.state[key], t) for key, t in state.items())


def test_the_deeper_unet_and_single_channels_are_recognised(tmp_path):
    network = NETWORKS["unet_ddpm_32"].replace(width=2, multipliers=(1, 2, 2, 2, 4, 4), n_blocks=1)
    state = network.build((1, 64, 64)).state_dict()
    found = read(write(tmp_path / "f.pth", Published(network, 1).exported(state)))
    assert (found.network, found.n_channels, found.schedule) == (network, 1, None)
