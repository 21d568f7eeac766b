"""Tests of the step sizes on images of the user's own."""

import numpy as np
import pytest
from PIL import Image

from scorelib.data import DataSpec, Digits, Photographs
from scorelib.errors import InputError
from scorelib.metrics import ClassifierFeatures, InceptionFeatures, RandomConvFeatures
from scorelib.schedules import LinearSchedule, coverage
from scorelib.spec_paths import replace_paths
from studies.general.image_settings import ClassifierOfImages, schedule_of
from studies.general.sampling_eps import demo, paper, study
from studies.opening.open_study import configured
from studies.run import main
from tests.tuning.draining import drain
from tuning.scheduling.scheduler import Scheduler


def save_pictures(folder, images):
    folder.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{i}.png")
    return folder


def noise_pictures(folder, n, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (n, 12, 12, 3), dtype=np.uint8)
    return save_pictures(folder, pixels)


@pytest.fixture
def pictures(tmp_path):
    return noise_pictures(tmp_path / "photos" / "pictures", 10)


@pytest.fixture
def classes(tmp_path):
    for i, name in enumerate(("cats", "dogs")):
        noise_pictures(tmp_path / "photos" / "classes" / name, 6, seed=i)
    return tmp_path / "photos" / "classes"


def settings_of(*changes, scale="demo"):
    return configured("sampling_eps", scale, list(changes))


def data_of(made):
    """Returns every data set that anything in a study rests on."""
    return {spec for spec in made.specs() if isinstance(spec, DataSpec)}


def test_one_setting_names_the_data_of_everything(pictures, classes):
    for folder, scale in ((pictures, "demo"), (classes, "demo"), (pictures, "paper")):
        at = settings_of(f"images={folder}", scale=scale)
        assert at.images.folder == folder.name and at.data.root == str(folder.parent)
        assert data_of(study(scale, at)) == {at.images}
        assert at.images.shape == ((3, 16, 16) if scale == "demo" else (3, 32, 32))
        assert at.score_model.train.batch_size == at.images.n_train < 64


def test_the_features_follow_the_images(pictures, classes):
    of_one = settings_of(f"images={pictures}")
    of_two = settings_of(f"images={classes}")
    assert of_one.features == RandomConvFeatures() and "random-conv" in of_one.notes[0]
    assert isinstance(of_two.features, ClassifierFeatures) and of_two.notes == ()
    assert of_two.features.classifier.data == of_two.images
    few = settings_of(f"images={classes}", "extractor=ClassifierOfImages", "extractor.iterations=7")
    assert few.features.classifier.iterations == 7
    wanted = settings_of(f"images={pictures}", "extractor=InceptionFeatures")
    assert wanted.features == InceptionFeatures() == paper().features
    column, *_ = study("demo", wanted).cells
    assert column.protocol.name == "fid"


@pytest.mark.parametrize("wrong", ["n_sigma=[0]", 'samplers=["ddim"]', "train.network.width=[]"])
def test_a_refusal_names_the_wrong_setting_and_no_other(pictures, wrong):
    with pytest.raises(InputError) as caught:
        settings_of(f"images={pictures}", "chunk_images=100", wrong, "train.network.depth=2")
    assert caught.value.fields == (wrong.partition("=")[0],)


def test_private_kinds_are_never_listed():
    with pytest.raises(InputError, match=r"one of the kinds .*Cifar10, Cifar100, Digits") as caught:
        settings_of("images=Cifra10")
    assert "_Cifar" not in str(caught.value)


def test_a_network_that_numbers_its_levels_is_trained_at_them_alone():
    levels = ["train.schedule=LinearSchedule", "train.schedule.sigma_1=9",
              "train.schedule.sigma_L=0.05", "train.schedule.n_levels=12"]  # fmt: skip
    with pytest.raises(InputError, match=r"Ncsn knows its noise levels by number, so") as caught:
        settings_of("train.network=Ncsn", *levels)
    assert caught.value.fields == ("train.network.schedule", "train.schedule")
    assert "n_levels=10" in str(caught.value) and "n_levels=12" in str(caught.value)
    both = [*levels, *(each.replace("train.", "train.network.") for each in levels)]
    at = settings_of("train.network=Ncsn", 'samplers=["als"]', *both)
    train = at.score_model.train
    assert train.network.schedule == train.schedule == at.train.schedule
    as_list = {"spec": "ExplicitSchedule", "sigmas": train.schedule.sigmas}
    same = replace_paths(at, {"train.network.schedule": as_list})
    assert same.score_model.levels == train.schedule  # equal levels of another kind


def test_rows_are_the_samplers_and_steps_of_ones_choice():
    made = study("demo", settings_of('samplers=["cas"]', "n_sigma=[2, 1, 4]"))
    assert [cell.row for cell in made.cells] == [f"CAS, n_sigma = {n}" for n in (2, 1, 4)]
    first, second, third = made.searches
    assert (first.after, second.after, third.after) == (None, first, second)
    assert (made.paper, *(cell.reported for cell in made.cells)) == ("", {}, {}, {})


def test_a_given_step_size_starts_the_first_search():
    made = study("demo", settings_of("search.als_epsilon=0.002"))
    starts = [search.starts[0]["epsilon"] for search in made.searches]
    assert starts[0] == 0.002 and 0.002 not in starts[1:]


@pytest.mark.parametrize("images", [Digits(), Photographs()])
def test_the_levels_follow_the_size_of_the_images(images):
    levels = schedule_of(images)
    n = int(np.prod(images.shape))
    assert levels.sigma_1 == {64: 4.8, 768: 17.0}[n] and levels.sigma_L == 0.05
    apart = {
        k: abs(coverage(levels.replace(n_levels=levels.n_levels + k).gamma, n) - 0.5)
        for k in (-1, 0, 1)
    }
    assert min(apart, key=apart.get) == 0
    assert demo().replace(images=images).score_model.levels == levels


def test_als_works_with_any_schedule():
    linear = LinearSchedule(sigma_1=9.0, sigma_L=0.1, n_levels=40)
    at = settings_of(
        'samplers=["als"]',
        'train.schedule={"spec": "LinearSchedule", "sigma_1": 9, "sigma_L": 0.1, "n_levels": 40}',
    )
    assert at.score_model.train.schedule == linear
    assert len(study("demo", at).searches) == 2


SINGLE = 'train.schedule={"spec": "GeometricSchedule", "sigma_1": 1, "sigma_L": 1, "n_levels": 1}'
REFUSED = {
    "a sampler that does not fit": ([SINGLE], "leave 'cas' out"),
    "an unknown sampler": (['samplers=["hmc"]'], "samplers must hold samplers of the table"),
    "no sampler": (["samplers=[]"], "samplers must hold samplers of the table"),
    "no steps": (["n_sigma=[0]"], "n_sigma must hold step counts"),
    "no seed": (["seeds=0"], "seeds must be at least 1"),
    "no image": (["images=no_such_folder"], "there is no"),
    "points": (["images=SwissRoll"], "images must be pictures"),
}


def refused(capsys, store, changes):
    arguments = [word for change in changes for word in ("--set", change)]
    assert main(["sampling_eps", "--store", store, *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1 and "Traceback" not in printed.err
    return printed.err


@pytest.mark.parametrize("changes, words", REFUSED.values(), ids=list(REFUSED))
def test_what_does_not_fit_is_refused_in_one_line(tmp_path, capsys, changes, words):
    assert words in refused(capsys, str(tmp_path / "store"), changes)
    assert not (tmp_path / "store").exists()


def test_one_picture_is_refused_in_one_line(tmp_path, capsys):
    folder = noise_pictures(tmp_path / "one", 1)
    assert "at least" in refused(capsys, str(tmp_path / "store"), [f"images={folder}"])


@pytest.mark.parametrize("kind", ["ClassifierOfImages", "ClassifierFeatures"])
def test_a_classifier_of_unlabelled_pictures_is_refused_in_one_line(
    tmp_path, pictures, capsys, kind
):
    line = refused(capsys, str(tmp_path / "store"), [f"images={pictures}", f"extractor={kind}"])
    assert "(--set extractor=VALUE)" in line
    at = settings_of(f"images={pictures}")
    with pytest.raises(InputError, match="a classifier needs images of at least 2 classes"):
        at.replace(extractor=ClassifierOfImages().of(at.images))


def test_cas_beats_the_gaussian_and_held_out_pictures_beat_cas(tmp_path, store):
    images, _ = Digits().load("train")
    digits = (255 * images[:400, 0]).byte().numpy()
    save_pictures(tmp_path / "pictures", digits)
    at = settings_of(
        f'images={{"folder": "{tmp_path}/pictures", "size": 8, "channels": 1}}',
        'samplers=["cas"]', "n_sigma=[1]", "train.iterations=600", "train.network.width=128",
        "train.optimizer.learning_rate=3e-3", "train.network.depth=2",
        "search.n_trials=2", "search.top_images=200", "seeds=1",
    )  # fmt: skip
    made = study("demo", at)
    drain(made, store, data_root=tmp_path)
    scheduler = Scheduler(made, store)

    def numbers(job):
        return store.manifest(job.stage, job.key).result

    (cas,) = scheduler.cell_jobs(made.cells[0])
    held_out, gaussian = (numbers(job)["distance"] for job in made.baselines)
    assert held_out < numbers(cas)["denoised"] < numbers(cas)["raw"] < gaussian
