"""Folders of our own: whole or absent, and what comes back equals what went in."""

import json

import pytest
import torch

import scorelib
from scorelib.errors import InputError
from scorelib.networks import Ncsnv2, ResidualMlp
from scorelib.schedules import GeometricSchedule
from scorelib.weights import load, read, save
from tests.scorelib.weights.formula import content, levels, write

NETWORK, SHAPE = Ncsnv2(ngf=4), (3, 16, 16)
SCHEDULE = GeometricSchedule(sigma_1=5.0, sigma_L=0.1, n_levels=9)


@pytest.fixture
def state():
    torch.manual_seed(0)
    return NETWORK.build(SHAPE).state_dict()


@pytest.fixture
def folder(tmp_path, state):
    save(tmp_path / "out", NETWORK, SCHEDULE, state, shape=SHAPE, card="# A card\n")
    return tmp_path / "out"


def test_what_was_saved_is_loaded_and_read(folder, state):
    network, schedule = scorelib.load(folder)
    assert schedule == SCHEDULE and not network.training
    x = torch.rand(2, *SHAPE)
    expected = NETWORK.build(SHAPE)
    expected.load_state_dict(state)
    assert torch.equal(network(x, torch.ones(())), expected(x, torch.ones(())))
    found = read(folder)
    assert (found.network, found.schedule, found.shape) == (NETWORK, SCHEDULE, SHAPE)
    assert found.sha256 == found.weights_sha256 == read(folder / "model.safetensors").sha256
    assert (folder / "README.md").read_text() == "# A card\n"
    assert torch.equal(found.build()(x, torch.ones(())), network(x, torch.ones(())))


def test_an_import_saved_keeps_its_digest(tmp_path):
    found = read(write(tmp_path / "f.pth", content("ncsn_32", "ncsn")), schedule=levels("ncsn_32"))
    digest = save(tmp_path / "out", found.network, found.schedule, found.state, shape=(3, 32, 32))
    again = read(tmp_path / "out", network=found.network, schedule=found.schedule, sha256=digest)
    assert again.weights_sha256 == found.weights_sha256 == digest
    assert all(torch.equal(again.state[name], t) for name, t in found.state.items())


def test_networks_of_vectors_have_folders_too(tmp_path):
    network = ResidualMlp(width=8, depth=2)
    state = network.build((2,)).state_dict()
    save(tmp_path / "a" / "b", network, None, state, shape=(2,), files={"images/0.txt": b"x"})
    built, schedule = load(tmp_path / "a" / "b")
    assert schedule is None and built(torch.zeros(3, 2), torch.ones(())).shape == (3, 2)
    assert (tmp_path / "a" / "b" / "images" / "0.txt").read_bytes() == b"x"
    assert read(tmp_path / "a" / "b", schedule=SCHEDULE).schedule == SCHEDULE


def test_only_load_is_at_the_top():
    with pytest.raises(AttributeError):
        scorelib.store  # noqa: B018


def test_a_folder_with_content_is_left_alone(folder, state):
    before = (folder / "config.json").read_bytes()
    with pytest.raises(InputError, match="new or empty"):
        save(folder, NETWORK, None, state, shape=SHAPE)
    assert (folder / "config.json").read_bytes() == before


def test_nothing_half_written_stays(tmp_path, state, monkeypatch):
    def full(self):
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match="tensors must be the"):
        save(tmp_path / "out", Ncsnv2(ngf=6), SCHEDULE, state, shape=SHAPE)
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InputError, match="No space left"):
        save(tmp_path / "out", NETWORK, SCHEDULE, state, shape=SHAPE)
    assert list(tmp_path.iterdir()) == []


def change(folder, **changes):
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"network": {"spec": "Nscn"}}, "of a known kind"),
        ({"network": SCHEDULE.to_json()}, "specs other than"),
        ({"network": Ncsnv2(ngf=6).to_json()}, "of another shape"),
        ({"shape": 3}, "export the folder again"),
        ({"shape": [1, 16, 16]}, "of another shape"),
        ({"version": 2}, "version 2"),
        ({"format": "x"}, "another program's"),
        ({"sha256": "0" * 64}, "SHA-256"),
    ],
)
def test_a_damaged_config_is_refused(folder, changes, words):
    change(folder, **changes)
    with pytest.raises(InputError, match=words):
        load(folder)


def test_a_damaged_folder_is_refused(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(InputError, match="SHA-256"):
        load(folder)
    file.unlink()
    with pytest.raises(InputError, match="No such file"):
        load(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(InputError, match=r"config\.json"):
        load(folder)


@pytest.mark.parametrize("asked", [{"network": Ncsnv2(ngf=6)}, {"schedule": levels("ncsn_32")}])
def test_a_folder_is_what_it_says(folder, asked):
    with pytest.raises(InputError, match="must be the one of"):
        read(folder, **asked)
    with pytest.raises(InputError, match="layout of safetensors"):
        read(folder, "ncsn")
