"""What holds of every study, and each of them in miniature through the real engine."""

import base64
import dataclasses
import io
import json
import shutil
import statistics
import subprocess
import sys
from functools import cache

import pytest
import torch
from PIL import Image

from dashboards.figures.charts import charts
from dashboards.figures.data import class_gains_of, panels_of
from dashboards.figures.figures import figures
from dashboards.figures.pictures import Budget, pictures
from dashboards.figures.samples import sample_sheets
from dashboards.records.mlflow_common import as_metric
from dashboards.records.mlflow_records import records, table_records
from dashboards.records.mlflow_searches import trial_records
from dashboards.results.cells import view
from dashboards.results.searches import halving_savings
from dashboards.results.verdicts import half_interval
from dashboards.text.answers import answer
from dashboards.text.table import FORMATS, frame, render
from scorelib.exact.noise_level import closed_form
from scorelib.networks import n_parameters
from scorelib.spec import from_json, replace_paths
from studies.registry import STUDIES, find_study
from studies.reported import _rows
from tests.tuning.draining import drain
from tuning.scheduling.forecast import forecast
from tuning.scheduling.scheduler import Scheduler
from tuning.stages.frames import FRAMES_FILE, SIGMAS
from tuning.store.store import Store

TABLE = {
    "iterations": "4", "iteration": "4", "snapshot_every": "2", "selection.n_trials": "1",
    "selection.n_images": "10", "search.n_trials": "2", "search.n_images": "10",
    "search.top_images": "20", "search.keep": "1", "chunk_images": "10", "n_images": "20",
    "seeds": "1", "n_sigma": "[1]", "train.schedule.n_levels": "5", "train.batch_size": "8",
    "extractor.classifier.iterations": "5", "extractor.classifier.width": "2",
    "extractor.classifier.n_features": "4", "adversarial.discriminator.width": "1",
}  # fmt: skip
CHOICE = {
    "iterations": "[2, 4]", "images": "[10, 20]", "keep": "[3, 1]", "n_images": "20", "seeds": "1",
    "chunk_images": "10", "train.schedule.n_levels": "5", "train.batch_size": "8",
    "extractor.classifier.iterations": "5", "extractor.classifier.width": "2",
    "extractor.classifier.n_features": "4", "train.network.width": "16",
}  # fmt: skip
SCHEDULES = {
    "iterations": "4", "snapshot_every": "2", "search_images": "10", "n_images": "20",
    "chunk_images": "10", "seeds": "1", "n_sigma": "2", "few.n_levels": "4",
    "many.n_levels": "5", "frames": "3",
    "train.batch_size": "8", "extractor.classifier.iterations": "5",
    "extractor.classifier.width": "2", "extractor.classifier.n_features": "4",
}  # fmt: skip
MLP = {"train.network.width": "16", "train.network.depth": "1"}
CLASSES = MLP | {
    "iteration": "4", "train.schedule.n_levels": "5", "train.batch_size": "8",
    "classifier.width": "2", "classifier_batch_size": "8", "classifier_iterations": "3",
    "sampler.n_steps": "3", "chunk_images": "20", "n_images": "40", "n_real": "40",
    "extractor.classifier.iterations": "5", "extractor.classifier.width": "2",
    "extractor.classifier.n_features": "4", "accuracy.iterations": "3", "accuracy.batch_size": "8",
    "k": "2",
}  # fmt: skip
MINIATURES = {
    "cifar_sampling_eps": TABLE | MLP,
    "church_sampling_eps": TABLE | MLP,
    "ffhq_sampling_eps": TABLE | MLP,
    "cifar_unet_sampling_eps": TABLE | {"train.network.width": "2"},
    "stacked_mnist_modes": MLP | {
        "iteration": "4", "n_trials": "2", "search_images": "20", "n_images": "30",
        "chunk_images": "10", "train.schedule.n_levels": "5", "train.batch_size": "8",
        "train.data.n": "200", "classifier.iterations": "5", "classifier.width": "2",
        "classifier.n_features": "4", "adversarial.discriminator.width": "1",
    },
    "noise_consistency": {},
    "likelihood_renormalisation": {},
    "synthetic_2d": {"iterations": "20", "n_points": "50", "seeds": "2", "network.width": "16"},
    "inception_score": TABLE | MLP,
    "uncurated_samples": {
        f"{table}.{path}": value
        for table in ("cifar", "church", "unet")
        for path, value in (TABLE | {"columns": '["non-adversarial"]'}).items()
    } | {"unet.train.network.width": "2"},
    "cifar10_dlsm": CLASSES,
    "cifar100_dlsm": CLASSES,
    "dlsm_lambda": CLASSES | {"lambdas": "[0.1, 1]"},
    "dlsm_scaling": CLASSES | {"alphas": "[1, 10]"},
    "dlsm_front": CLASSES | {"n_trials": "5", "round_size": "2", "search_images": "40"},
    "moons_score_mismatch": {
        "points.n": "100", "width": "2", "batch_size": "20", "iterations": "4", "curve_every": "2",
        "schedule.n_levels": "10", "n_points": "50", "chunk_points": "25", "sampler.n_steps": "3",
        "seeds": "2",
    },
    "cifar_checkpoint_ema": CHOICE | {
        "iterations": "[4]", "images": "[10]", "keep": "[3]", "train_iterations": "4",
        "snapshot_every": "2",
    },
    "cifar_adam_betas": CHOICE,
    "cifar_gan_loss": CHOICE,
    "cifar_lambda_nd": CHOICE,
    "cifar_adversarial_search": CHOICE,
    "mnist_schedules": SCHEDULES | MLP,
    "mnist_initial_noise": MLP | {
        "iterations": "4", "snapshot_every": "2", "n_images": "20", "chunk_images": "10",
        "n_sigma": "2", "few.n_levels": "4", "many.n_levels": "5", "train.batch_size": "8",
        "classifier.iterations": "5", "classifier.width": "2", "classifier.n_features": "4",
    },
    "cars_schedules": {k: v for k, v in SCHEDULES.items() if not k.startswith("few")}
    | {"train.network.ngf": "2"},
    "cifar_schedules": SCHEDULES | MLP | {"families": '["geometric", "sigmoid"]'},
}  # fmt: skip


SHEETS = {
    "cifar10_dlsm": ["samples_base.png", "samples_scaling.png", "samples_ours.png"],
    "mnist_initial_noise": [  # Figures 11 and 12
        "samples_L-4-sigma-1-0-17.png", "samples_L-5-sigma-1-5.png",
    ],
    "dlsm_scaling": [
        f"samples_{method}-alpha-{alpha}.png" for method in ("base", "ours") for alpha in (1, 10)
    ],
}  # fmt: skip
"""What the sheets of some studies are called: by what the cells they are shared by have alike."""


def miniature(name):
    assert name in MINIATURES, f"{name} needs a miniature here: settings that take seconds"
    module = find_study(name)
    return module.study("demo", replace_paths(module.settings("demo"), MINIATURES[name]))


@pytest.fixture(scope="module")
def drained(tmp_path_factory):
    """Studies in miniature, each worked off once: its scheduler, its store, what ran, its plan."""

    @cache
    def worked_off(name):
        store = Store(str(tmp_path_factory.mktemp(name)), create=True)
        made = miniature(name)
        planned = forecast(Scheduler(made, store), store, "cpu x1")
        ran = drain(made, store)
        return Scheduler(made, store), store, ran, planned

    return worked_off


@pytest.fixture(scope="module", params=STUDIES)
def finished(request, drained):
    return drained(request.param)


@pytest.mark.parametrize("scale", ["demo", "paper"])
@pytest.mark.parametrize("name", STUDIES)
def test_a_study_is_whole_at_either_scale(name, scale):
    module = find_study(name)
    settings = module.settings(scale)
    assert from_json(settings.to_json()) == settings, "settings do not survive the store"
    made = module.study(scale, settings)
    assert (made.name, made.scale) == (name, scale) and made.question.endswith("?")
    names = [search.name for search in made.searches]
    assert len(set(names)) == len(names)
    for number, search in enumerate(made.searches):
        for rests_on in (search.after, search.model_of):
            assert rests_on is None or rests_on.name in names[:number], "served before its basis"
    cells = [cell.name for cell in made.cells]
    assert len(set(cells)) == len(cells) > 0
    assert all(cell.search is None or cell.search in made.searches for cell in made.cells)


@pytest.mark.parametrize("scale", ["demo", "paper"])
@pytest.mark.parametrize("name", ["mnist_schedules", "cifar_schedules"])
def test_the_report_s_five_families_are_compared_whatever_others_there_are(name, scale):
    families = find_study(name).settings(scale).families
    assert families == ("geometric", "linear", "cosine", "squared_cosine", "sigmoid")


def test_workers_can_read_every_study_s_jobs():
    """Which know the engine's modules and no study's."""
    jobs = []
    for name in STUDIES:
        for scale in ("demo", "paper"):
            made = find_study(name).study(scale, find_study(name).settings(scale))
            protocols = [cell.protocol for cell in made.cells if cell.protocol]
            jobs += [spec.to_json() for spec in (*made.known_jobs, *protocols)]
    code = (
        "import json, sys, tuning.execution.trainable\n"
        "from scorelib.spec import from_json\n"
        "print(len([from_json(job) for job in json.load(sys.stdin)]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(jobs), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.stdout == f"{len(jobs)}\n", done.stderr[-500:]


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_can_be_planned_at_paper_scale_before_any_data_is_there(name, store):
    module = find_study(name)
    made = module.study("paper", module.settings("paper"))
    rows = forecast(Scheduler(made, store), store, "gpu")
    assert sum(row.hours for row in rows) > 0 and all(row.n_stored == 0 for row in rows)
    on_gpus = any(job.wants_gpu() for job in made.known_jobs)
    exact = {"noise_consistency", "likelihood_renormalisation", "synthetic_2d"}
    assert on_gpus == (name not in exact | {"moons_score_mismatch"})


def test_every_cell_is_measured_and_shown(finished):
    scheduler, store, ran, _ = finished
    assert scheduler.is_complete() and len({key for _, key in ran}) == len(ran)
    shown = view(scheduler, store)
    for cell in shown.cells:
        wanted = set(cell.cell.quantities) if cell.cell.is_measured else set()
        assert cell.measured.keys() == wanted and cell.failed is None, cell.cell.name
    for style in FORMATS:
        text = render(shown, style, width=110)
        assert "missing" not in text and "failed" not in text.replace(",failed,", "")
    assert len(frame(shown)) == sum(len(cell.quantities) for cell in scheduler.study.cells)


def test_the_plan_foretold_the_jobs(finished):
    *_, ran, planned = finished
    foretold = {row.stage: row.n_to_run for row in planned}
    made = {stage: sum(s == stage for s, _ in ran) for stage in foretold}
    assert made.keys() == {stage for stage, _ in ran}
    for stage, count in made.items():
        # Winners that are also trials, and snapshots that a search leaves out, make it fewer.
        assert count <= foretold[stage] <= 2 * count + 2, stage


def test_what_finished_jobs_rest_on_need_not_be_there(drained, tmp_path):
    scheduler, whole, *_ = drained("cifar10_dlsm")
    made, store = scheduler.study, Store(str(shutil.copytree(whole.url, tmp_path / "store")))
    for cell in made.cells:
        for chunk in cell.job.chunks() if cell.job else ():  # of an accuracy score: in pixels
            shutil.rmtree(store.folder / "objects" / chunk.stage / chunk.key)
    scheduler = Scheduler(made, store)
    assert scheduler.is_complete()
    assert sum(row.n_to_run for row in forecast(scheduler, store, "cpu x1")) == 0
    assert drain(made, store) == []
    first = made.cells[0]  # An accuracy score: of the other kind of images it asks for them again
    other = dataclasses.replace(first, job=first.job.replace(which="raw"))
    scheduler = Scheduler(dataclasses.replace(made, cells=(other,)), store)
    left = {row.stage: row.n_to_run for row in forecast(scheduler, store, "cpu x1")}
    assert left["sample"] > 0 and left["accuracy"] == 1


def test_mlflow_has_every_cell_the_curves_and_the_gains_by_class(finished):
    scheduler, store, *_ = finished
    *made, table = records(scheduler, store)
    cells = {(r.tags["row"], r.tags["column"]): r for r in made if r.tags["kind"] == "cell"}
    shown = {(c.row, c.column): c for c in scheduler.study.cells if c.is_measured or c.reported}
    assert cells.keys() == shown.keys()
    assert len({record.key for record in cells.values()}) == len(cells)
    for name, cell in shown.items():
        for_paper = [v for n, v in cells[name].metrics.items() if n.startswith("reported_")]
        assert {result.value for result in cell.reported.values()} <= set(for_paper)
        assert ("frames.png" in cells[name].files) == bool(cell.frames)
    expected = {}
    for panel, lines in panels_of(scheduler).items():
        for label, points in lines.items():
            name = as_metric(f"{panel}/{label}")
            expected[name] = {step: statistics.fmean(of) for step, of in points.items()}
            if len(points[min(points)]) > 1:
                halves = {step: half_interval(of) for step, of in points.items()}
                expected[f"{name}_ half interval"] = halves
    gains = class_gains_of(scheduler, store)
    expected |= {as_metric(f"{row}/ours minus base by class"): of for row, of in gains.items()}
    assert {name: dict(of) for name, of in table.curves.items()} == expected


def test_every_study_draws_what_it_holds(finished):
    scheduler, store, *_ = finished
    drawn = figures(scheduler, store) | sample_sheets(scheduler, store)
    assert drawn and all(data.startswith(b"\x89PNG") for data in drawn.values())
    shown = view(scheduler, store).cells
    sheets = {cell.first_images for cell in shown if cell.first_images}
    assert sheets >= {cell.scores[0].chunks()[0] for cell in shown if cell.scores}
    assert sum(name.startswith("samples_") for name in drawn) == len(sheets)
    fields = {name for name in drawn if name.startswith("score_fields")}
    for name, wanted in SHEETS.items():
        if scheduler.study.name == name:
            assert {n for n in drawn if n.startswith("samples_")} == set(wanted)
    if scheduler.study.name == "moons_score_mismatch":
        assert fields == {"score_fields.png", "score_fields_sigma-at-the-input.png"}


def test_every_study_has_an_answer_from_its_numbers_and_charts(finished):
    scheduler, store, *_ = finished
    shown = view(scheduler, store)
    known = {f"{m.mean:.4g}" for cell in shown.cells for m in cell.measured.values()}
    first, second = answer(shown)
    assert any(number in first for number in known), first
    assert first.endswith(".") and second.endswith(".")
    drawn = charts(scheduler, store)
    assert len({chart.title for chart in drawn}) == len(drawn)
    assert all(chart.figure.data for chart in drawn)
    assert drawn or scheduler.study.name == "likelihood_renormalisation"


def test_halving_is_accounted_for(finished):
    scheduler, *_ = finished
    for run in scheduler.searches.values():
        spared = halving_savings(run)
        if spared is not None:
            assert 0 < spared.evaluations < spared.in_full


def test_all_numbers_of_the_papers_tables_stand_beside_ours():
    held = {name: find_study(name) for name in STUDIES}
    reported = [
        (result.source.removeprefix("Table "), quantity, result.value)
        for name in ("cifar_sampling_eps", "church_sampling_eps", "cifar_unet_sampling_eps")
        for cell in held[name].study("paper", held[name].settings("paper")).cells
        for quantity, result in cell.reported.items()
    ]
    rows = [
        ("Section 6.1" if row["table"] == "text-6.1" else row["table"],
         "denoised" if row["metric"].endswith("denoised") else "raw", float(row["value"]))
        for row in _rows()
        if row["paper"] == "acsm" and row["table"] in ("1", "2", "3", "text-6.1")
    ]  # fmt: skip
    assert sorted(reported) == sorted(rows) and len(rows) == 50


def test_all_distances_of_the_report_on_schedules_stand_beside_ours_with_their_schedule():
    found = [
        (cell.row.replace(" ", "_"), cell.search.space.sample.model.train, result.value)
        for name in ("mnist_schedules", "cifar_schedules", "cars_schedules")
        for cell in find_study(name).study("paper", find_study(name).settings("paper")).cells
        for result in cell.reported.values()
    ]
    rows = [row for row in _rows() if row["paper"] == "schedules" and row["metric"] == "fid"]
    shown = sorted((f"schedule={family}", value) for family, _, value in found)
    assert shown == sorted((row["row"], float(row["value"])) for row in rows) and len(rows) == 8
    for family, train, _ in found:
        schedule = train.schedule
        assert schedule.name == family and schedule.n_levels == 200
        assert schedule.sigma_1 == (30 if train.data.name == "mnist" else 50)
        assert train.network.schedule == schedule and n_parameters_at(train) > 0


def n_parameters_at(train):
    with torch.device("meta"):
        return n_parameters(train.network.build(train.data.shape))


def test_the_langevin_step_of_song_and_ermon_is_half_of_it_for_us():
    at = find_study("mnist_schedules").settings("paper")
    assert at.sampler.epsilon == 1e-5 and at.sampler.n_sigma == 100
    assert at.sampler.epsilon / 0.01**2 == pytest.approx(0.1)


def test_a_table_of_schedules_shows_no_step_in_units_of_the_schedule(drained):
    scheduler, store, *_ = drained("cifar_schedules")
    made = scheduler.study
    shown = view(scheduler, store)
    data = frame(shown)
    assert set(data["row"]) == {"geometric", "sigmoid"}
    assert data["r"].isna().all() and (data["epsilon"] == 1e-5).all()
    for style in ("rich", "markdown"):
        text = render(shown, style, width=200)
        assert "follows the schedule" not in text and text.count("Chosen by searches") == 1
        assert all(name in text for name in scheduler.searches)
    for record in (*trial_records(scheduler), *table_records(scheduler, store)):
        assert record.metrics.get("r") is None
    drawn = figures(scheduler, store)
    assert drawn.keys() == {"schedules.png", "search_iteration.png"}
    frames = [name for name in sample_sheets(scheduler, store) if name.startswith("frames_")]
    assert len(frames) == len(made.cells)


def test_the_noise_of_figure_1_is_the_closed_form(drained):
    scheduler, store, *_ = drained("noise_consistency")
    for cell in view(scheduler, store).cells:
        (quantity,) = cell.cell.quantities
        job, value = cell.cell.job, cell.measured[quantity].mean
        assert value == pytest.approx(cell.cell.reported[quantity].value, rel=3e-3)
        if quantity == "L" and "ALS" in cell.cell.row:
            assert value == pytest.approx(closed_form(job.sampler, job.schedule)[-1], rel=1e-6)
        if "CAS" in cell.cell.row:
            share = {"L/4": 0.25, "L/2": 0.5, "3L/4": 0.75, "L": 1.0}[quantity]
            assert value == pytest.approx(50 * (0.01 / 50) ** share, rel=1e-6)


def test_the_papers_kl_of_stacked_mnist_is_corrected_and_said_to_be():
    made = miniature("stacked_mnist_modes")
    by_name = {cell.name: cell for cell in made.cells}
    for row, printed, corrected in (
        ("non-adversarial DSM", 1.36, 0.053),
        ("adversarial DSM", 1.49, 0.121),
    ):
        assert by_name[f"{row}, KL"].reported["raw"].value == corrected
        assert "inference" in by_name[f"{row}, KL"].reported["raw"].source
        assert by_name[f"{row}, KL as printed"].reported["raw"].value == printed
    assert any("inference" in note for note in made.notes)
    assert by_name["DCGAN, modes"].reported["raw"].value == 99


def test_the_inception_score_rests_on_table_1s_own_images():
    settings = find_study("inception_score").settings("demo")
    own = find_study("inception_score").study("demo", settings)
    table = find_study("cifar_sampling_eps").study("demo", settings)
    assert {s.space.key for s in own.searches} == {s.space.key for s in table.searches}
    best = table.searches[1].space.score({"epsilon": 0.01})
    chunks = {chunk for cell in own.cells[:2] for s in cell.jobs(best) for chunk in s.chunks()}
    assert chunks == {chunk for s in table.cells[0].jobs(best) for chunk in s.chunks()}


def test_frames_along_the_chain_are_the_stores_own_pixels_with_their_noise(drained):
    scheduler, store, *_ = drained("cifar_schedules")
    made = scheduler.study
    found = pictures(scheduler, store, Budget(10**7))
    assert len(found) == len(made.cells) == 4
    for cell, picture in zip(view(scheduler, store).cells, found, strict=True):
        manifest = store.manifest(cell.frames.stage, cell.frames.key)
        data = store.read(cell.frames.stage, cell.frames.key, FRAMES_FILE)
        assert base64.b64decode(picture.data.split(",")[1]) == data and picture.is_sharp
        levels = ", ".join(f"{sigma:.2g}" for sigma in manifest.result[SIGMAS])
        assert picture.title.startswith(cell.cell.name) and picture.title.endswith(levels)
        # Stored enlarged an even number of times: at half the size a pixel is still whole ones.
        assert (picture.width, picture.height) == tuple(
            side / 2 for side in Image.open(io.BytesIO(data)).size
        )
    for picture in pictures(scheduler, store, Budget(0)):
        assert picture.data == "" and "pictures/cifar_schedules-demo of the store" in picture.title


def test_what_dlsm_gains_class_by_class_is_drawn_and_sums_to_the_cells(drained):
    scheduler, store, *_ = drained("cifar10_dlsm")
    gains = class_gains_of(scheduler, store)
    cells = {(c.cell.row, c.cell.column): c for c in view(scheduler, store).cells}
    assert list(gains) == [
        f"class-wise {name}" for name in ("precision", "recall", "density", "coverage")
    ]
    for row, of_classes in gains.items():
        ours, base = (cells[row, column].measured["denoised"].mean for column in ("ours", "base"))
        assert len(of_classes) == 10
        assert sum(of_classes.values()) / 10 == pytest.approx(ours - base)
    assert "class_gains.png" in figures(scheduler, store)
