"""Tests of the study `sweep`: its lines of text, refusals, rungs, objectives, and its page."""

import dataclasses
import re
import shlex
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scorelib import spec
from scorelib.data import DataSpec
from scorelib.errors import InputError
from scorelib.metrics import ClassifierFeatures, InceptionFeatures, RandomConvFeatures
from scorelib.spec_paths import replace_paths
from studies.general.sweep_parameters import parameters
from studies.opening.open_study import configured
from studies.registry import find_study
from studies.run import main
from tests.displays import empty_database
from tests.studies.miniatures import MINIATURES
from tests.tuning.draining import drain
from tuning import own_modules
from tuning.scheduling.scheduler import Scheduler
from tuning.spaces import OneOf, Range
from tuning.store.store import Store

PAGE = (Path(__file__).parents[3] / "docs" / "sweeps.md").read_text()
RATE = "train.optimizer.learning_rate = 1e-3..1e-2 log"


def sweep(*lines, **changes):
    """Returns the miniature sweep with other lines and other settings."""
    settings = replace_paths(find_study("sweep").settings("demo"), MINIATURES["sweep"])
    settings = settings.replace(**({"vary": lines} if lines else {}), **changes)
    return find_study("sweep").study("demo", settings)


def space(*lines, **changes):
    (search,) = sweep(*lines, **changes).searches
    return search.space


def test_lines_of_text_become_parameters():
    found = space(
        RATE, "train.network.width=8..64 log", "train.network.depth = 1..3",
        "sampler.epsilon = 0.007..0.012 3 points", "ema = [0.5, 0.9, 0.99]",
        'train.objective = ["Dsm", {"spec": "Adversarial", "n_d": 2}]',
        "train.flips = [true, false]",
    )  # fmt: skip
    rate, width, depth, epsilon, ema, objective, flips = found.parameters
    assert (rate.name, rate.low, rate.high, rate.log, rate.whole) == (
        "learning_rate", 1e-3, 1e-2, True, False
    )  # fmt: skip
    assert isinstance(width, Range) and width.whole and width.log and not depth.log
    assert epsilon.path == "sample.sampler.epsilon" and epsilon.grid == (0.007, 0.0095, 0.012)
    assert ema.values == (0.5, 0.9, 0.99) and found.sample.model.train.ema == (
        0.5,
        0.9,
        0.99,
        0.999,
    )
    assert isinstance(objective, OneOf) and objective.values[1].n_d == 2
    assert flips.values == (True, False)
    values = {"learning_rate": 2e-3, "width": 16, "depth": 2, "epsilon": 0.012, "ema": 0.5,
              "objective": objective.labels[1], "flips": True}  # fmt: skip
    train = found.score(values).sample.model.train
    assert (train.network.width, train.network.depth, train.objective.n_d) == (16, 2, 2)
    assert found.score(values).sample.ema == 0.5


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train.optimizer.learning_rate = 1e-2..1e-3", r"low < high must hold.*low=0\.01"),
        ("train.optimizer.learning_rate = 0..1e-3 log", "low > 0 must hold"),
        (
            "train.optimizer.learning_rate = []",
            "^error: learning_rate must have different values, but is empty",
        ),
        ("train.network.width = [8, 8]", "^error: width must have different values, but got"),
        ("train.lr = 1e-3..1e-2", r"nearest is 'train\.optimizer\.learning_rate' "),
        ("job.x = 0..1", "a path must be a field to vary, but 'job.x' is not"),
        ("train.network.width = 8..many", "must have a list .* but got '8..many'"),
        ("train.network.width = 8..16 steps", "but got '8..16 steps'"),
        ("train.network.width = [8,", r"in JSON, but got \[8,"),
        ("train.network.width = 8", "but got '8'"),
        ("train.network.width", "a line must be PATH = "),
        ("train.network.width = [8, 1.5]", "width must have values that fit.*must be int; got 1.5"),
        ("train.network.width = -8..8", "width must have values that fit"),
        ("ema = 0.9..0.99", r"ema must have a list such as \[0.99, 0.999\]"),
        ('train.objective = ["Dsn"]', "nearest is 'Dsm'"),
        ("images = [10, 20]", "images must not be varied if the rungs set it"),
    ],
)
def test_a_wrong_line_is_refused_by_one_line_and_nothing_is_written(
    line, message, tmp_path, capsys
):
    options = [f"{k}={v}" for k, v in MINIATURES["sweep"].items() if k != "vary"]
    words = [word for option in options for word in ("--set", option)]
    given = '["' + line.replace('"', r"\"") + '"]'
    store = tmp_path / "store"
    assert main(["sweep", *words, "--set", f"vary={given}", "--store", str(store)]) == 2
    printed = capsys.readouterr()
    assert re.search(message, printed.err) and printed.err.count("\n") == 1 and not printed.out
    assert "--set vary=VALUE" in printed.err and not store.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trials": 0}, "trials must be at least 1, but got 0"),
        ({"training_seeds": 0}, "training_seeds must be at least 1"),
        ({"vary": ()}, "vary must have a line"),
        ({"iterations": (4, 2)}, "iterations must have one value .* not decreasing"),
        ({"images": (10, 20, 30)}, "images must have one value >= 2, or one for each of 2 rungs"),
        ({"images": ()}, "images must have one value"),
        ({"keep": (0,)}, "keep must have values >= 1"),
        ({"trials": 4, "keep": (8,)}, r"on the first rung, which is 4, but got \[8\]"),
        ({"vary": ("ema = [0.9, 0.99]",), "strategy": "grid", "keep": (3,)}, "is 2, but got"),
        ({"vary": ("ema = [0.9, 0.99]",), "keep": (3,)}, "rung, which is 2, but got"),
        ({"objectives": ("fidelity",)}, "objectives must hold distance, .* but got 'fidelity'"),
        ({"objectives": ()}, "objectives must have a number to optimise"),
        ({"objectives": ("distance", "distance")}, "needs objectives of different names"),
        ({"strategy": "cma-es"}, "cma-es searches ranges of numbers"),
        ({"vary": ("train.seed = 0..1000000000",), "strategy": "grid"}, "at most 10,000 points"),
        ({"vary": ("train.optimizer.learning_rate = 1e-3..1e-2 1000000000 points",)},
         "points must be at most 10,000 in magnitude, but got 1000000000"),
        ({"vary": ("train.seed = 0..9999", "ema = [0.9, 0.99]"), "strategy": "grid"},
         "a grid must have at most 10,000 points, but got 20,000"),
        ({"strategy": "optuna.samplers:Nope"}, "but 'optuna.samplers:Nope' does not exist"),
        ({"strategy": "bayes"}, "strategy must be one of grid"),
        ({"vary": (RATE, RATE)}, "each path must be given once"),
        ({"vary": ("train.objective = [\"Dsm\"]", "train.objective.x = [1]")}, "must be a field"),
    ],
)  # fmt: skip
def test_wrong_settings_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        sweep(**changes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [(2, 10), (4, 20)]),
        ({"iterations": (4,)}, [(4, 10), (4, 20)]),
        ({"images": (10,)}, [(2, 10), (4, 10)]),
        ({"keep": (), "iterations": (4,), "images": (20,)}, [(4, 20)]),
    ],
)
def test_rungs_differ_in_iterations_in_images_or_in_both(changes, expected):
    (search,) = sweep(**changes).searches
    values = {"learning_rate": 1e-3, "width": 8, "ema": 0.9}
    scores = [search.space.score(values, rung) for rung in (None, *search.ladder)]
    assert [(s.sample.model.iteration, s.protocol.n_images) for s in scores] == expected


def test_objectives_of_images_share_the_images(store):
    made = sweep(
        RATE, objectives=("distance", "recall", "raw distance"), trials=4, keep=(), iterations=(2,),
        images=(20,), training_seeds=2, seeds=1,
    )  # fmt: skip
    drain(made, store)
    scheduler = Scheduler(made, store)
    (run,) = scheduler.searches.values()
    assert run.search.space.lower_is_better == (True, False, True)
    for trial in run.trials:
        results = [scheduler.lookup(score) for score in trial.scores]
        assert [job.sample.model.train.seed for job in trial.scores] == [0, 0, 1, 1]
        assert trial.by_seed == tuple(
            tuple(result.numbers[which] for result in results[first::2])
            for first, which in ((0, "denoised"), (1, "denoised"), (0, "raw"))
        )
    for cell in made.cells:
        jobs = scheduler.cell_jobs(cell)
        assert [(j.sample.model.train.seed, j.sample.seed) for j in jobs] == [(0, 1), (1, 2)]
        assert all(job.protocol.seeds == "fresh" for job in jobs)
    assert [cell.column for cell in made.cells] == ["fd[digits-cnn]", "recall[digits-cnn]"]
    assert "pareto_fronts" in made.figures


def test_the_file_of_the_page_is_short_and_sweeps_a_folder(tmp_path):
    text = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)[1]
    assert len(text.splitlines()) <= 20
    folder, rng = tmp_path / "pictures", np.random.default_rng(0)
    folder.mkdir()
    for i in range(200):
        pixels = rng.integers(0, 256, (8, 8), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    file = tmp_path / "sweep.toml"
    file.write_text(text.replace("/home/me/pictures", str(folder)))
    settings = configured("sweep", "demo", [], str(file))
    made = find_study("sweep").study("demo", settings)
    (search,) = made.searches
    assert search.space.sample.model.train.data.name == "pictures"
    assert [p.name for p in search.space.parameters] == ["learning_rate", "width", "ema"]
    assert [(r.keep, r.iteration, r.n_images) for r in search.ladder] == [
        (8, 900, 1000), (2, 2700, 2000)
    ]  # fmt: skip
    assert search.n_trials == 24 and made.cells[0].n_seeds == 2


def test_the_features_follow_the_folder(tmp_path):
    for folder, kind in (("pictures", RandomConvFeatures), ("classes", ClassifierFeatures)):
        for i in range(60):
            part = tmp_path / folder / ("" if folder == "pictures" else "ab"[i % 2])
            part.mkdir(parents=True, exist_ok=True)
            Image.new("L", (8, 8), 4 * i).save(part / f"{i}.png")
        changes = [f"train.data={tmp_path / folder}", "train.batch_size=8"]
        settings = configured("sweep", "demo", changes)
        made = find_study("sweep").study("demo", settings)
        (cell,) = made.cells
        assert type(cell.protocol.extractor) is kind
        assert {spec for spec in made.specs() if isinstance(spec, DataSpec)} == {
            settings.train.data
        }
        assert bool(made.notes) == (folder == "pictures")
        with_inception = settings.replace(extractor=InceptionFeatures())
        assert find_study("sweep").study("demo", with_inception).cells[0].protocol.name == "fid"


def test_all_trials_of_a_rung_may_be_kept():
    made = sweep("train.network.width = [8, 16]", "ema = [0.9, 0.99]", strategy="grid", keep=(4,))
    assert [rung.keep for rung in made.searches[0].ladder] == [4]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Größen(spec.Spec):
    """A spec with a field that is written in two Unicode forms."""

    KIND = "GrößenOfSweep"

    größe: int = 1


def test_a_line_names_the_field_of_its_letters():
    line = unicodedata.normalize("NFD", "job.größe = [1, 2]")
    (found,) = parameters((line,), Größen(), {"job": ""})
    assert (found.name, found.path) == ("größe", "größe")
    with pytest.raises(InputError, match="each path must be given once"):
        parameters((line, "job.größe = [3]"), Größen(), {"job": ""})


def test_a_grid_has_as_many_trials_as_points():
    made = sweep("train.network.width = [8, 16]", "train.network.depth = 1..3", strategy="grid")
    assert made.searches[0].n_trials == 6
    epsilon = "sampler.epsilon = [0.007, 0.012, 0.017]"
    of = sweep("train.schedule.n_levels = [5, 30]", epsilon, strategy="grid")
    assert of.searches[0].n_trials == 5  # 0.017 is admissible with 30 levels only


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Returns an empty folder to work in; forgets the user's modules afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(own_modules, "_LOADED", {})
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("my_job", None)
    for kind in ("Svm", "Broken"):
        spec._KINDS.pop(f"my_job:{kind}", None)


def test_the_job_of_the_page_is_swept_by_its_command(here, capsys):
    code = next(c for c in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "Svm" in c)
    Path("my_job.py").write_text(code)
    pages = PAGE.replace("\\\n", " ").splitlines()
    words = shlex.split(next(line for line in pages if "my_job.py --set" in line))[3:]
    assert main([*words, "--plan"]) == 0
    assert re.search(r"svm +0 +12 ", capsys.readouterr().out)
    assert main([*words, "--set", "training_seeds=2"]) == 2
    assert "for a job without a field `seed`" in capsys.readouterr().err
    assert main([*words, "--set", 'objectives=["accuracy"]']) == 2
    assert "must be 'lower NAME' or 'raise NAME'" in capsys.readouterr().err
    settings = configured("sweep", "demo", ["job=Svm", 'vary=["job.c = 0.1..100 log"]',
                          "trials=2"])  # fmt: skip
    made = find_study("sweep").study("demo", settings.replace(objectives=("raise accuracy",)))
    store = Store(str(here / "store"), create=True)
    drain(made, store)
    (run,) = Scheduler(made, store).searches.values()
    assert 0.8 < run.winner.value == max(t.value for t in run.trials) <= 1


BROKEN = """
import numpy as np
import torch
from studies import kit

@kit.spec
class Broken(kit.Job):
    STAGE = kit.Stage("broken", 5, "score")
    x: float = 0.5
    def title(self):
        return "a job that gives no number"
    def run(self, at):
        yield kit.Progress(0, 1, "steps")
        return RETURNED
"""
BROKEN_SWEEP = ["job=Broken", 'vary=["job.x = 0..1"]', 'objectives=["lower y"]', "trials=2"]


@pytest.mark.parametrize(
    ("returned", "cause"),
    [
        ('kit.Outcome({"y": float("nan")})', "numbers of a result must be finite, but y is nan"),
        ('kit.Outcome({"y": "low"})', "must hold the number 'y'"),
        ("kit.Outcome({})", "must hold the number 'y', but its numbers are: none"),
        ("None", "must return an Outcome, but returned NoneType"),
        ("0.5", "must return an Outcome, but returned float"),
        ("kit.Outcome(0.5)", "an Outcome must map names to numbers, but holds float"),
        ('kit.Outcome({"y": 1j})', "must be int or float, but y is builtins.complex"),
        ('kit.Outcome({"y": torch.zeros(2)})', "int or float, but y is torch.Tensor"),
        ('kit.Outcome({"y": np.float32("inf")})', "must be finite, but y is inf"),
        ("int('no number')", "ValueError: invalid literal for int() with base 10: 'no number' (my"),
        ("torch.linalg.inv(torch.zeros(2, 2))", "LinAlgError: linalg.inv: The diagonal"),
    ],
)
def test_a_job_without_a_number_is_a_failed_trial_with_its_cause(here, returned, cause):
    made, store = broken_sweep(here, returned)
    (run,) = Scheduler(made, store).searches.values()
    assert len(run.trials) == 2 and run.winner is None
    for trial in run.trials:
        assert cause in trial.result.failed and "\n" not in trial.result.failed


def test_a_sweep_of_failed_trials_ends_in_one_line(here, capsys):
    broken_sweep(here, "None")
    empty_database(here / "store" / "mlflow.db")
    capsys.readouterr()  # what making the database prints
    words = [word for change in BROKEN_SWEEP for word in ("--set", change)]
    assert main(["sweep", "--module", "my_job.py", *words]) == 2
    printed = capsys.readouterr()
    assert "all 2 trials failed: " in printed.err and "returned NoneType" in printed.err
    assert printed.err.count("\n") == 1 and "failed" in printed.out


def broken_sweep(folder, returned):
    """Returns the sweep of a job that returns an expression, and the store of its two trials."""
    Path("my_job.py").write_text(BROKEN.replace("RETURNED", returned))
    own_modules.import_own("my_job.py")
    made = find_study("sweep").study("demo", configured("sweep", "demo", BROKEN_SWEEP))
    store = Store(str(folder / "store"), create=True)
    drain(made, store)
    return made, store


def own_sweep(source):
    """Returns the sweep of the job of a source text, written to a file and imported."""
    Path("my_job.py").write_text(source)
    own_modules.import_own("my_job.py")
    changes = ["job=Broken", 'vary=["job.x = 0..1"]', 'objectives=["lower y"]', "trials=8"]
    return find_study("sweep").study("demo", configured("sweep", "demo", changes))


@pytest.mark.parametrize("number", ["np.float32(self.x)", "torch.tensor(self.x)", "np.ones(1)"])
def test_a_job_that_raises_for_some_values_is_a_failed_trial_there_alone(here, number):
    raising = f"kit.Outcome({{'y': {number} if self.x < 0.5 else 1 / 0}})"
    made, store = own_sweep(BROKEN.replace("RETURNED", raising)), Store("store", create=True)
    drain(made, store)
    scheduler = Scheduler(made, store)
    (run,) = scheduler.searches.values()
    causes = {t.result.failed for t in run.trials if t.values["x"] >= 0.5}
    assert causes == {"ZeroDivisionError: division by zero (my_job.py:14)"}
    good = [t for t in run.trials if t.values["x"] < 0.5]
    assert good and run.winner in good and scheduler.is_complete()
    assert all(type(t.value) is float for t in good)


def test_a_run_without_a_yield_is_said_to_have_none(here):
    without = BROKEN.replace('        yield kit.Progress(0, 1, "steps")\n', "")
    made, store = own_sweep(without.replace("RETURNED", "kit.Outcome()")), Store("s", create=True)
    drain(made, store)
    (run,) = Scheduler(made, store).searches.values()
    assert "but has no yield" in run.trials[0].result.failed


@pytest.mark.parametrize(
    "error",
    ['OSError("away")', "MemoryError()", 'ModuleNotFoundError("sklearn")',
     'torch.OutOfMemoryError("")', 'RuntimeError("CUDA error: an illegal memory access")'],
)  # fmt: skip
def test_a_fault_of_the_machine_is_no_result(here, error):
    raising = f"raise_({error})"
    source = BROKEN.replace("RETURNED", raising) + "\ndef raise_(error):\n    raise error\n"
    made, store = own_sweep(source), Store("store", create=True)
    with pytest.raises((OSError, MemoryError, ImportError, RuntimeError)):
        drain(made, store)
    scheduler = Scheduler(made, store)
    assert not scheduler.is_complete() and scheduler.wanted()
    (run,) = scheduler.searches.values()
    assert all(trial.result is None for trial in run.trials)


def test_a_missing_module_of_a_sampler_is_named_by_its_option(tmp_path, capsys):
    words = ["--set", "strategy=nowhere:Sampler", "--store", str(tmp_path / "store")]
    assert main(["sweep", *words]) == 2
    assert "needs the module nowhere" in (err := capsys.readouterr().err) and "--module" in err
