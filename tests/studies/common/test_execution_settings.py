"""Tests of the settings that say where a study runs: the store keeps no path into a store."""

import pytest

from scorelib.errors import InputError
from studies.common.execution_settings import require_optuna
from studies.registry import find_study
from tests.miniature import first_score, miniature_settings, miniature_study
from tuning.stages.frames import Frames
from tuning.stages.nearest import Nearest
from tuning.store.store import Store


def of(url):
    return miniature_study(projections__optuna=url)


@pytest.mark.parametrize("path", ["store/optuna.db", "store/deeper/trials.db", "other/optuna.db"])
def test_an_optuna_database_inside_a_store_is_refused(tmp_path, path):
    Store(str(tmp_path / "other"), create=True)
    own = tmp_path / "store"  # the first launch checks before it creates the store
    with pytest.raises(InputError, match="must be a database outside the store") as caught:
        require_optuna(of(f"sqlite:///{tmp_path}/{path}"), str(own))
    assert str(tmp_path / path.split("/")[0]) in str(caught.value)
    assert caught.value.fields == ("projections.optuna",) and not own.exists()


def test_a_relative_path_into_the_store_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="must be a database outside the store"):
        require_optuna(of("sqlite:///store/optuna.db"), "store")


def test_another_optuna_database_is_allowed(tmp_path):
    for store in (str(tmp_path / "store"), "s3://bucket/store"):
        require_optuna(of(f"sqlite:///{tmp_path}/optuna.db"), store)
    require_optuna(miniature_study(), str(tmp_path / "store"))


def test_pictures_can_be_asked_of_every_study_and_change_no_key():
    definition, plain = find_study("cifar_sampling_eps"), miniature_study()
    best = first_score(plain)
    for name, kind, field, expected in (
        ("frames", Frames, "n_frames", 6),  # one for each of the six updates, not nine
        ("nearest", Nearest, "n_images", 9),
    ):
        study = definition.study("demo", miniature_settings(**{f"projections__{name}": "9"}))
        assert study.settings.key == plain.settings.key
        for own, other in zip(study.cells, plain.cells, strict=True):
            if own.search.name == "cas n_sigma=1, non-adversarial":
                *before, added = own.jobs(best)
                assert tuple(before) == other.jobs(best)
                assert isinstance(added, kind) and getattr(added, field) == expected
        with pytest.raises(InputError, match=f"projections.{name} must be at least 0, but got -1"):
            miniature_settings(**{f"projections__{name}": "-1"})
