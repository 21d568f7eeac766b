"""The list of published models: sizes as counted in the authors' programs, files read by name."""

import dataclasses

import pytest
import torch

from scorelib.errors import InputError
from scorelib.networks import n_parameters
from scorelib.weights import PUBLISHED, published_model
from scorelib.weights.architectures import Published
from tests.scorelib.weights.formula import NETWORKS, content, levels, write

COUNTED = {
    "ncsn-cifar10": (30_117_635, 173),
    "ncsn-mnist": (7_638_657, 173),
    "ncsnv2-cifar10": (29_694_083, 153),
    "ncsnv2-bedroom": (83_445_379, 191),
    "ncsnv2-ffhq": (94_132_611, 229),
    "acsm-cifar10-unet": (33_185_411, 284),
    "ve-cifar10-ncsnpp-continuous": (62_758_915, 571),
    "ve-cifar10-ncsnpp-deep-continuous": (107_587_075, 963),
}
"""Numbers and tensors of the authors' networks, without the buffer of levels."""


@pytest.mark.parametrize("name", COUNTED)
def test_sizes_are_those_counted_in_the_authors_programs(name):
    model = PUBLISHED[name]
    published = Published(model.network, model.shape[0])
    with torch.device("meta"):
        network = model.network.build(model.shape)
        tensors = published.exported(network.state_dict())
    assert (sum(t.numel() for t in tensors.values()), len(tensors)) == COUNTED[name]
    assert n_parameters(network) > 7e6


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_model_says_what_a_reader_needs(name):
    model = PUBLISHED[name]
    assert model.name == name and model.schedule.sigma_L == 0.01 and model.place
    assert getattr(model.network, "schedule", model.schedule) == model.schedule
    assert not getattr(model.network, "centres_input", False)
    assert all(r.n_images >= 10_000 and 1 < r.fid < 100 for r in model.reported)


def test_reported_numbers_of_one_model_differ_in_how_they_were_measured():
    for model in PUBLISHED.values():
        how = [(r.sampler, r.n_sigma, r.denoised, r.n_images, r.statistics) for r in model.reported]
        assert len(set(how)) == len(how)


def test_a_file_is_read_by_name_and_another_networks_is_refused(tmp_path):
    for name, of, layout in (
        ("ncsnv2-cifar10", "ncsnv2_32", "ncsnv2"),
        ("acsm-cifar10", "ncsnv2_32", "adversarial-score-matching"),
        ("ncsn-cifar10", "ncsn_32", "ncsn"),
    ):
        path = write(tmp_path / "f.pth", content(of, layout))
        with pytest.raises(InputError, match="of another shape"):
            PUBLISHED[name].read(path)
        small = dataclasses.replace(PUBLISHED[name], network=NETWORKS[of])
        assert small.read(path).require_schedule() == levels(of)


def test_a_wrong_name_gets_the_nearest():
    with pytest.raises(InputError, match="the nearest is ncsnv2-cifar10"):
        published_model("ncsnv2_cifar10")
    assert published_model("ncsnv2-cifar10").reported[0].fid == 10.87
