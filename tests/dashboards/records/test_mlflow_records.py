"""Tests of MLflow records: they show each run of the store once, whatever was written before."""

import contextlib
import dataclasses
import json
from pathlib import Path

import optuna
import pytest
from mlflow.tracking import MlflowClient

from dashboards.records.cell_list import cell_list
from dashboards.records.mlflow_common import common_tags
from dashboards.records.mlflow_records import experiment_description, model_records, records
from dashboards.records.mlflow_searches import trial_key
from dashboards.records.mlflow_views import comparison, views
from dashboards.records.projections import Projections
from dashboards.results.cells import read_study
from dashboards.results.missing import what_is_missing
from dashboards.text.table import render, table_data
from scorelib.losses import Adversarial
from scorelib.networks import BigGanDiscriminator
from tests.displays import empty_database
from tests.miniature import miniature_study
from tests.tuning.draining import drain, fill
from tuning.job_runs import execute
from tuning.jobs import ExecutionContext
from tuning.scheduling.forecast import forecast
from tuning.scheduling.scheduler import Scheduler
from tuning.stages import InceptionScoreProtocol, Snapshot
from tuning.store.store import Store
from tuning.tracking import writer as writer_module
from tuning.tracking.mlflow_record import RunRecord
from tuning.tracking.mlflow_writer import MlflowWriter
from tuning.tracking.writer import ProjectionError, ProjectionWriter


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Returns a finished miniature that was written to a database twice."""
    folder = tmp_path_factory.mktemp("mlflow")
    store = Store(str(folder / "store"), create=True)
    fill(miniature_study(), store)
    scheduler = Scheduler(miniature_study(), store)
    uri = empty_database(folder / "mlflow.db")
    for _ in range(2):
        write(uri, folder, lambda: records(scheduler, store))
    client = MlflowClient(tracking_uri=uri)
    return client, scheduler, store, uri, folder


def write(uri, folder, make):
    study = miniature_study()
    with MlflowWriter(
        uri, study.name, experiment_description(study), folder / "artifacts", views(study)
    ) as writer:
        writer.write(make)


def runs(client, where=""):
    experiment = client.get_experiment_by_name("cifar_sampling_eps")
    return client.search_runs([experiment.experiment_id], filter_string=where, max_results=1000)


def test_writing_twice_makes_every_run_once(shown):
    client, *_ = shown
    keys = [run.data.tags["key"] for run in runs(client)]
    assert len(keys) == len(set(keys)) == 2 + 5 + 2 + 12 + 4 + 1
    assert {run.info.status for run in runs(client)} == {"FINISHED"}


def test_a_trial_that_another_search_has_measured_is_shown_as_well(tmp_path, monkeypatch):
    # Both create their records before the next search proposes trials that are already measured.
    def write_at_once(writer, make, *, whole=False):
        found = list(make())
        writer._waiting.put((lambda: found, whole))

    monkeypatch.setattr(ProjectionWriter, "write", write_at_once)
    store = Store(str(tmp_path / "store"), create=True)
    empty_database(store.folder / "mlflow.db")
    scheduler = Scheduler(miniature_study(), store)
    with Projections(scheduler, store, None) as displays:
        scheduler.on_stored = displays.stored
        drain(miniature_study(), store, scheduler=scheduler)
    assert displays.failures == []
    trials = {trial_key(run, t) for run in scheduler.searches.values() for t in run.trials}
    client = MlflowClient(tracking_uri=f"sqlite:///{store.folder}/mlflow.db")
    shown = runs(client, "tags.kind = 'trial'")
    assert {run.data.tags["key"] for run in shown} == trials
    storage = f"sqlite:///{store.folder}/optuna.db"
    in_optuna = [t for s in optuna.get_all_study_summaries(storage) for t in
                 optuna.load_study(study_name=s.study_name, storage=storage).trials]  # fmt: skip
    assert {t.user_attrs["mlflow_run"] for t in in_optuna} == trials


def test_a_cell_run_carries_what_the_table_shows(shown):
    client, scheduler, store, *_ = shown
    cells = {c.cell.name: c for c in read_study(scheduler, store).cells if c.measured}
    found = runs(client, "tags.kind = 'cell'")
    assert len(found) == len(cells) == 4
    for run in found:
        tags, metrics = run.data.tags, run.data.metrics
        cell = cells[f"{tags['row']}, {tags['column']}"]
        assert metrics["fd"] == cell.measured["raw"].mean
        assert next(iter(metrics)) == "fd", "the comparison would draw something else"
        assert metrics["fd_denoised"] == cell.measured["denoised"].mean
        assert metrics["reported_fid"] == cell.cell.reported["raw"].value
        assert metrics["n_images"] == 60 and metrics["n_seeds"] == 1
        assert metrics["epsilon"] == cell.winner.epsilon
        assert "fd_difference" not in metrics, "a difference across protocols"
        assert (tags["paper"], tags["exhibit"], tags["scale"]) == ("acsm", "Table 1", "demo")
        assert "fd[digits-cnn], 60 images" in tags["protocol"]
        assert tags["cell_key"] == cell.cell.jobs(cell.winner.score)[0].key
        spec = json.loads(Path(client.download_artifacts(run.info.run_id, "spec.json")).read_text())
        assert spec["sample"]["model"]["train"]["network"]["width"] == 16
        assert run.data.params.keys() == {"sampler", "n_sigma", "ema", "iteration"}
        assert run.data.params["sampler"] in ("Als", "Cas")
        files = {f.path for f in client.list_artifacts(run.info.run_id, "samples")}
        assert files == {"samples/raw.png", "samples/denoised.png"}
        assert "epsilon_curve.png" in {f.path for f in client.list_artifacts(run.info.run_id)}


def test_trials_and_training_have_their_runs(shown):
    client, *_ = shown
    trials = runs(client, "tags.kind = 'trial'")
    assert {run.data.metrics["n_images"] for run in trials} == {40.0}
    assert all(run.data.metrics["fd_denoised"] > 0 for run in trials)
    (last,) = [
        r for r in runs(client, "tags.kind = 'training'") if r.data.params["iteration"] == "60"
    ]
    curve = client.get_metric_history(last.info.run_id, "dsm_loss")
    assert [point.step for point in curve] == [30, 50, 60]


def test_trials_stand_below_their_search_which_shows_its_history(shown):
    client, scheduler, *_ = shown
    searches = {run.info.run_id: run for run in runs(client, "tags.kind = 'search'")}
    assert len(searches) == len(scheduler.searches)
    below = {}
    for trial in runs(client, "tags.kind = 'trial'"):
        parent = searches[trial.data.tags["mlflow.parentRunId"]]
        assert parent.data.tags["search"] == trial.data.tags["search"]
        below.setdefault(parent.info.run_id, []).append(trial)
    for run_id in searches:
        best = [m.value for m in client.get_metric_history(run_id, "best_fd_denoised")]
        assert best == sorted(best, reverse=True) and len(best) == len(below[run_id])
        lowest = min(t.data.metrics["fd_denoised"] for t in below[run_id])
        assert best[-1] == pytest.approx(lowest)
    tops = [r for r in runs(client) if "mlflow.parentRunId" not in r.data.tags]
    assert {r.data.tags["kind"] for r in tops} == {"cell", "table", "search", "training"}


def test_partial_distances_have_the_number_of_images_as_their_step(shown):
    client, scheduler, *_ = shown
    run = scheduler.searches["als n_sigma=1, non-adversarial"]
    best = run.finalists()[0].number
    (record,) = [
        r for r in runs(client, "tags.kind = 'trial'")
        if r.data.tags["search"] == run.search.name and r.data.metrics["number"] == best
    ]  # fmt: skip
    curve = client.get_metric_history(record.info.run_id, "fd_denoised_by_images")
    assert [point.step for point in curve] == [40, 60]
    assert curve[1].value == pytest.approx(run.finalists()[0].result.of("denoised"))


def test_cells_name_the_checkpoint_and_the_data_they_rest_on(shown):
    client, scheduler, store, *_ = shown
    (experiment,) = client.search_experiments(filter_string="name = 'cifar_sampling_eps'")
    models = client.search_logged_models([experiment.experiment_id])
    by_id = {m.model_id: m for m in models}
    stored = {s.key for s in scheduler.study.snapshots}
    assert {m.tags["key"] for m in models} == stored and all(m.status == "READY" for m in models)
    for cell in read_study(scheduler, store).cells:
        (run,) = [
            r for r in runs(client, "tags.kind = 'cell'")
            if r.data.tags["row"] == cell.cell.row
        ]  # fmt: skip
        (used,) = client.get_run(run.info.run_id).inputs.model_inputs
        assert by_id[used.model_id].tags["key"] == cell.sample.model.key
        (data,) = run.inputs.dataset_inputs
        assert data.dataset.name == "digits"
    for model in models:
        assert client.get_run(model.source_run_id).data.tags["key"] == model.tags["key"]


def test_the_experiment_says_what_it_is_and_holds_the_views(shown):
    client, scheduler, *_ = shown
    (experiment,) = client.search_experiments(filter_string="name = 'cifar_sampling_eps'")
    assert scheduler.study.question in experiment.tags["mlflow.note.content"]
    kept = json.loads(experiment.tags["mlflow.sharedViewState.cells-demo"])
    cells = "tags.kind = 'cell' and tags.scale = 'demo'"
    assert kept["searchFilter"] == f"{cells} and tags.settings = '{scheduler.study.settings.key}'"
    assert len(runs(client, kept["searchFilter"])) == 4
    for kind in ("trial", "training"):
        of = json.loads(experiment.tags[f"mlflow.sharedViewState.{kind}s-demo"])["searchFilter"]
        assert len(runs(client, of)) == len(runs(client, f"tags.kind = '{kind}'")) > 1
    # Both scales share an experiment: neither scale replaces targets of the other's links.
    paper = views(dataclasses.replace(scheduler.study, scale="paper"))
    assert runs(client, paper["cells-paper"]["searchFilter"]) == []
    assert not paper.keys() & views(scheduler.study).keys()
    named = [column.replace("`", "") for column in kept["selectedColumns"]]
    assert named == [
        "params.sampler", "params.n_sigma", "metrics.epsilon", "metrics.r", "params.ema",
        "params.iteration", "metrics.fd", "metrics.fd_denoised",
        "metrics.within_noise_from", "metrics.within_noise_to",
    ]  # fmt: skip
    # MLflow fixes the column of names at the left of a wide page only.
    assert kept["columnOrder"] == ["attributes.`Run Name`", *kept["selectedColumns"]]
    widths = [kept["columnWidths"][column] for column in kept["selectedColumns"]]
    assert sum(widths[:8]) < 620, "room for them at 1280 px"


def test_the_comparison_opens_with_exactly_the_parameters_that_differ(shown):
    client, scheduler, *_ = shown
    (experiment,) = client.search_experiments(filter_string="name = 'cifar_sampling_eps'")
    kept = json.loads(experiment.tags["mlflow.sharedViewState.compare-demo"])
    chart, differences = kept["compareRunCharts"]
    assert chart["selectedParams"] == ["sampler", "n_sigma"]
    assert chart["selectedMetrics"] == ["fd", "fd_denoised"]
    assert differences["showDifferencesOnly"] and len(runs(client, kept["searchFilter"])) == 4
    # Values that searches have chosen count as well, and so does a value that a cell lacks.
    cells = [{"sampler": "Als", "ema": 0.9, "iteration": 5}, {"sampler": "Als", "ema": 0.99}]
    ((name, view),) = comparison(scheduler.study, cells).items()
    assert name == "compare-demo"
    assert view["compareRunCharts"][0]["selectedParams"] == ["ema", "iteration"]


def test_a_run_with_parameters_of_an_earlier_version_is_written_anew(tmp_path):
    uri = empty_database(tmp_path / "old.db")
    new = RunRecord(key="k", name="n", tags={}, params={"ema": 0.9}, metrics={"fd": 1.0})
    below = RunRecord(key="below", name="n", tags={}, parent="k")
    olds = [
        {"params": {"ema": 0.9, "sample.sampler.clamp": False}},  # a name that is no longer used
        {"params": {"ema": 0.8}},  # a value that is another now
        {"metrics": {"fd": 1.0, "FID": 1.0}},
    ]
    for old in olds:
        write(uri, tmp_path, lambda old=old: [dataclasses.replace(new, **old), below])
        write(uri, tmp_path, lambda: [new, below])
        client = MlflowClient(tracking_uri=uri)
        found = {run.data.tags["key"]: run for run in runs(client)}
        assert len(found) == len(runs(client)) == 2
        assert found["k"].data.params == {"ema": "0.9"} and found["k"].data.metrics == {"fd": 1.0}
        assert found["below"].data.tags["mlflow.parentRunId"] == found["k"].info.run_id
        before = {key: run.info.run_id for key, run in found.items()}
        write(uri, tmp_path, lambda: [new, below])
        assert {run.data.tags["key"]: run.info.run_id for run in runs(client)} == before


def test_runs_of_other_settings_are_no_part_of_the_views(tmp_path):
    uri, kinds = empty_database(tmp_path / "settings.db"), ("cell", "trial", "training")
    studies = [miniature_study(n_images=images) for images in ("40", "60")]
    made = [
        RunRecord(key=f"{kind}-{study.settings.key}", name="n", tags=common_tags(study, kind))
        for study in studies for kind in kinds
    ]  # fmt: skip
    write(uri, tmp_path, lambda: made)
    client = MlflowClient(tracking_uri=uri)
    for kind in kinds:
        (run,) = runs(client, views(studies[1])[f"{kind}s-demo"]["searchFilter"])
        assert run.data.tags["key"] == f"{kind}-{studies[1].settings.key}"


def test_the_list_on_the_page_of_a_study_is_that_of_mlflow(shown):
    client, scheduler, store, *_ = shown
    found = cell_list(read_study(scheduler, store), scheduler)
    (experiment,) = client.search_experiments(filter_string="name = 'cifar_sampling_eps'")
    kept = json.loads(experiment.tags["mlflow.sharedViewState.cells-demo"])
    named = [column.split("`")[1] for column in kept["selectedColumns"]]
    in_mlflow = {
        run.info.run_name: run.data.metrics | run.data.params
        for run in runs(client, kept["searchFilter"])
    }
    assert [cell.name for cell in found.cells] == ["ALS n=1", "ALS n=5", "CAS n=1", "CAS n=5"]
    assert found.equal == {"ema": "0.99", "iteration": "60"}, "what the comparison leaves out"
    # MLflow has no numbers of a search whose best value cannot be told from its neighbours.
    logged = {name for values in in_mlflow.values() for name in values}
    assert found.columns == [n for n in named if n in logged and n not in found.equal]
    for cell in found.cells:
        values = [in_mlflow[cell.name].get(column, "") for column in found.columns]
        assert cell.values == [v if isinstance(v, str) else f"{v:.4g}" for v in values]
    (first, *_) = read_study(scheduler, store).cells
    alone = dataclasses.replace(read_study(scheduler, store), cells=(first,))
    assert not cell_list(alone, scheduler).equal, "one cell has nothing in common with others"


def test_trials_are_rows_of_their_own_the_best_first():
    made = miniature_study()
    trials = views(made)["trials-demo"]
    # Sorted by time, MLflow would show the searches first, with empty values in all these columns.
    assert (trials["orderByKey"], trials["orderByAsc"]) == ("metrics.`fd_denoised`", True)
    assert trials["orderByKey"] in trials["selectedColumns"]
    search, own = made.searches[0], made.searches[0].space.protocol
    score = InceptionScoreProtocol(extractor=own.extractor, data=own.data, n_images=own.n_images)
    template = search.space.template.replace(protocol=score)
    search = dataclasses.replace(search, space=search.space.replace(template=template))
    trials = views(dataclasses.replace(made, searches=(search,)))["trials-demo"]
    assert (trials["orderByKey"], trials["orderByAsc"]) == ("metrics.`is_denoised`", False)
    assert views(dataclasses.replace(made, searches=()))["trials-demo"]["orderByKey"].endswith(
        "start_time"
    )


def test_every_loss_of_an_adversarial_training_is_a_metric_with_steps(shown, tmp_path):
    _, scheduler, *_ = shown
    players = Adversarial(discriminator=BigGanDiscriminator(width=1), n_d=1)
    train = scheduler.study.snapshots[0].train.replace(objective=players, batch_size=32)
    snapshot, store = Snapshot(train=train, iteration=55), Store(str(tmp_path / "s"), create=True)
    for _ in execute(snapshot, ExecutionContext(store=store)):
        pass
    manifest = store.manifest("train", snapshot.key)
    uri = empty_database(tmp_path / "players.db")
    write(uri, tmp_path, lambda: model_records(scheduler, snapshot, manifest, store))
    client = MlflowClient(tracking_uri=uri)
    (run,) = runs(client)
    kept = json.loads(store.read("train", snapshot.key, "losses.json"))
    losses = {"dsm_loss", "gan_loss", "discriminator_loss"}
    assert set(run.data.metrics) == losses | {"seconds", "iteration"}
    for name, pairs in kept.items():
        curve = client.get_metric_history(run.info.run_id, f"{name}_loss")
        assert [[point.step, point.value] for point in curve] == pairs
        assert [point.step for point in curve] == [50, 55]


def test_the_table_is_logged_whole(shown):
    client, scheduler, store, *_ = shown
    (run,) = runs(client, "tags.kind = 'table'")
    path = client.download_artifacts(run.info.run_id, "table.json")
    logged = json.loads(Path(path).read_text())
    expected = table_data(read_study(scheduler, store))
    assert logged["columns"] == list(expected.columns)
    assert len(logged["data"]) == 8
    value = logged["columns"].index("value")
    ours = [row[value] for row in logged["data"]][:2]
    assert ours == pytest.approx(list(expected["value"][:2]), rel=1e-8)


def test_a_run_left_half_written_is_completed_and_not_doubled(shown):
    client, scheduler, store, uri, folder = shown
    before = {run.data.tags["key"]: run.info.run_id for run in runs(client)}
    (victim,) = runs(client, "tags.kind = 'table'")
    # The state that a killed driver leaves: a run that is created, running and without a digest.
    client.delete_tag(victim.info.run_id, "digest")
    client.update_run(victim.info.run_id, status="RUNNING")
    write(uri, folder, lambda: records(scheduler, store))
    after = {run.data.tags["key"]: run.info.run_id for run in runs(client)}
    assert after == before
    assert client.get_run(victim.info.run_id).info.status == "FINISHED"


def test_a_curve_cut_short_is_completed(tmp_path):
    uri = empty_database(tmp_path / "curve.db")
    curve = [(step, 1.0 / step) for step in range(1, 2501)]
    for known in (curve[:1000], curve):
        record = RunRecord(key="k", name="n", tags={}, curves={"loss": known})
        write(uri, tmp_path, lambda r=record: [r])
    (run,) = runs(MlflowClient(tracking_uri=uri))
    history = MlflowClient(tracking_uri=uri).get_metric_history(run.info.run_id, "loss")
    assert sorted((point.step, point.value) for point in history) == curve


def test_a_curve_whose_numbers_are_others_now_shows_them(tmp_path):
    uri = empty_database(tmp_path / "curve.db")
    for values in ([0.3, 0.2], [0.3, 0.1]):
        record = RunRecord(key="k", name="n", tags={}, curves={"error": list(enumerate(values))})
        write(uri, tmp_path, lambda r=record: [r])
    client = MlflowClient(tracking_uri=uri)
    (run,) = runs(client)
    assert run.data.metrics["error"] == 0.1, "the last step's latest value"
    history = client.get_metric_history(run.info.run_id, "error")
    assert sorted((m.step, m.value) for m in history) == [(0, 0.3), (1, 0.1), (1, 0.2)]


def test_a_record_that_cannot_be_made_does_not_keep_the_others_back(tmp_path):
    uri = empty_database(tmp_path / "partial.db")

    def broken():
        raise OSError("a picture is corrupt")

    writer = MlflowWriter(uri, "cifar_sampling_eps", "", tmp_path)
    with pytest.raises(ProjectionError, match="a picture is corrupt"), writer:
        writer.write(broken)
        writer.write(lambda: [RunRecord(key="k", name="n", tags={})])
    assert len(runs(MlflowClient(tracking_uri=uri))) == 1


@pytest.mark.parametrize("whole", [False, True])
def test_what_could_not_be_made_is_no_loss_once_everything_is_written(tmp_path, whole):
    record = RunRecord(key="k", name="n", tags={})
    outcomes = iter([OSError("a store that was away for a moment"), None])

    def make():
        if failure := next(outcomes):
            raise failure
        return [record]

    uri = empty_database(tmp_path / "partial.db")
    writer = MlflowWriter(uri, "cifar_sampling_eps", "", tmp_path)
    missing = pytest.raises(ProjectionError, match="away for a moment")
    with contextlib.nullcontext() if whole else missing, writer:
        writer.write(make)
        writer.write(make, whole=whole)


def test_a_wiped_database_is_rebuilt_from_the_store(shown, tmp_path):
    client, scheduler, store, *_ = shown
    uri = f"sqlite:///{tmp_path}/new.db"
    write(uri, tmp_path, lambda: records(scheduler, store))
    again = MlflowClient(tracking_uri=uri)

    def content(c):
        return {
            run.data.tags["key"]: (
                run.data.metrics, run.data.params, run.data.tags["digest"],
                len(c.get_run(run.info.run_id).inputs.model_inputs),
                [d.dataset.name for d in run.inputs.dataset_inputs],
            )
            for run in runs(c)
        }  # fmt: skip

    assert content(again) == content(client)


def test_more_seeds_renew_the_cells_own_run(shown, tmp_path):
    _, _, store, *_ = shown
    uri = empty_database(tmp_path / "seeds.db")
    for seeds in ("1", "2"):
        study = miniature_study(seeds=seeds)
        fill(study, store)
        scheduler = Scheduler(study, store)
        write(uri, tmp_path, lambda s=scheduler: records(s, store))
    cells = runs(MlflowClient(tracking_uri=uri), "tags.kind = 'cell'")
    assert len(cells) == 4
    assert all(run.data.metrics["n_seeds"] == 2 for run in cells)
    assert all(run.data.metrics["fd_spread"] > 0 for run in cells)


def test_a_server_that_does_not_take_records_is_reported_and_nothing_hangs(tmp_path, monkeypatch):
    monkeypatch.setattr(writer_module, "_GIVE_UP_SECONDS", 0.0)
    monkeypatch.setattr(writer_module, "_RETRY_SECONDS", 0.0)
    secret = "http://user:secret@127.0.0.1:1"
    writer = MlflowWriter(secret, "x", "")
    with pytest.raises(ProjectionError, match="nothing is lost") as caught, writer:
        writer.write(lambda: [RunRecord(key="k", name="n", tags={})])
    assert "secret" not in str(caught.value)


def test_renderings_agree_and_csv_holds_no_times_and_no_paths(shown):
    _, scheduler, store, *_ = shown
    known = read_study(scheduler, store)
    csv, markdown, rich = (render(known, style, 100) for style in ("csv", "markdown", "rich"))
    assert str(store.url) not in csv + markdown + rich
    for cell in known.cells:
        if cell.measured:
            shown_value = f"{cell.measured['denoised'].mean:.4g}"
            assert shown_value in markdown and shown_value in rich
            assert repr(cell.measured["denoised"].mean) in csv
    assert "fd[digits-cnn]" in rich and "fd[digits-cnn]" in csv
    assert "\x1b" not in rich
    noise = table_data(known)[["within_noise_from", "within_noise_to"]].drop_duplicates()
    spans = [run.within_noise for run in scheduler.searches.values() if run.within_noise]
    assert spans and set(noise.itertuples(index=False, name=None)) == set(spans)


def test_a_difference_is_shown_only_where_protocols_are_equal(shown):
    _, scheduler, store, *_ = shown
    cell = next(c for c in read_study(scheduler, store).cells if c.measured)
    assert cell.difference("raw") is None
    equal = {
        which: dataclasses.replace(reported, protocol=cell.cell.protocol)
        for which, reported in cell.cell.reported.items()
    }
    same = dataclasses.replace(cell, cell=dataclasses.replace(cell.cell, reported=equal))
    assert same.difference("raw") == cell.measured["raw"].mean - equal["raw"].value
    # In a grid of such cells, the difference and the verdict are on separate lines.
    known = dataclasses.replace(read_study(scheduler, store), cells=(same,))
    assert "verdict" in render(known, "rich", 100) and "one seed" in render(known, "rich", 100)
    assert f"{same.difference('raw'):+.3g} / " in render(known, "markdown")


def test_what_is_missing_and_what_it_would_cost_is_said_without_proposing_anything(tmp_path):
    store, study = Store(str(tmp_path / "store"), create=True), miniature_study()
    scheduler = Scheduler(study, store)
    (line,) = what_is_missing(read_study(scheduler, store), scheduler, store)
    planned = forecast(scheduler, store, "cpu x1")
    assert line.startswith(f"missing: 4 of 4 cells; {sum(r.n_to_run for r in planned):,} jobs, ")
    assert f"{sum(r.work.evaluations for r in planned):,} network evaluations, est. " in line
    assert not store.document_names("ledger")
    fill(study, store)
    scheduler = Scheduler(study, store)
    assert what_is_missing(read_study(scheduler, store), scheduler, store) == []
