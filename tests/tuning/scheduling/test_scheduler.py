"""Tests of the engine on a miniature study in one process: order, resumption, sharing, repair."""

import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.tuning.draining import drain, results
from tests.tuning.miniature import miniature_study
from tuning.job_runs import execute
from tuning.jobs import ExecutionContext, Outcome
from tuning.scheduling.planner import Planner
from tuning.scheduling.scheduler import MAX_ATTEMPTS, Scheduler, Wait
from tuning.spaces import Rung
from tuning.stages import Chunk, Snapshot
from tuning.store.store import Store


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Returns a finished miniature study: its store, the jobs in order, the results."""
    store = Store(str(tmp_path_factory.mktemp("finished")), create=True)
    ran = drain(miniature_study(), store)
    return store, ran, results(miniature_study(), store)


@pytest.fixture
def copied(finished, tmp_path):
    """Returns the finished store in a separate folder of the test."""
    return Store(str(shutil.copytree(finished[0].url, tmp_path / "finished")))


def rounds(store, study):
    return [[t.values for t in r.trials] for r in Scheduler(study, store).searches.values()]


def test_a_study_fills_every_cell_and_runs_no_job_twice(finished):
    _, ran, found = finished
    for cell in miniature_study().cells:
        (distances,) = (result for (name, _), result in found.items() if name == cell.name)
        assert distances["raw"] > 0 and distances["denoised"] > 0, cell.name
    assert Counter(stage for stage, _ in ran)["train"] == 2
    assert len({key for _, key in ran}) == len(ran), "a job ran twice"


def test_training_comes_first_then_the_snapshot_and_n_sigma_5_starts_from_n_sigma_1(finished):
    store, ran, _ = finished
    study = miniature_study()
    stages = [stage for stage, _ in ran]
    assert stages.index("train") < stages.index("sample")
    by_name = {s.name: Scheduler(study, store).searches[s.name] for s in study.searches}
    chosen = by_name["snapshot and EMA, non-adversarial"].winner.score.sample
    for name in ("als", "cas"):
        first, then = (by_name[f"{name} n_sigma={n}, non-adversarial"] for n in (1, 5))
        for trial in (*first.trials, *then.trials):
            used = trial.score.sample
            assert (used.model, used.ema) == (chosen.model, chosen.ema)
        schedule = first.search.space.sample.model.train.schedule
        carried = first.winner.score.sample.sampler.extrapolated(schedule, 5)
        assert then.trials[0].epsilon == pytest.approx(carried, rel=0.06)


def test_a_finished_study_has_nothing_to_do(finished):
    store, _, _ = finished
    assert drain(miniature_study(), store) == []
    scheduler = Scheduler(miniature_study(), store)
    assert scheduler.is_complete() and scheduler.next_job() is Wait.FINISHED


@pytest.mark.parametrize("seed", range(2))
def test_neither_order_of_completion_nor_batch_size_changes_the_outcome(finished, tmp_path, seed):
    _, _, expected = finished
    study, store = miniature_study(), Store(str(tmp_path), create=True)
    rng = random.Random(seed)
    drain(study, store, choose=lambda n: rng.randrange(n), batch_images=7 + seed)
    assert rounds(store, study) == rounds(finished[0], study)
    got = results(study, store)
    assert got.keys() == expected.keys()
    for job, numbers in expected.items():
        assert got[job].keys() == numbers.keys()
        for name, number in numbers.items():
            # Rounding changes features, and a Frechet distance is a square in their unit: the
            # number of correct digits of a small distance depends on the processor's kernels.
            assert abs(got[job][name]) ** 0.5 == pytest.approx(abs(number) ** 0.5, rel=1e-4)
            assert got[job][name] * number >= 0


def test_interrupted_after_every_few_jobs_the_results_are_the_same(finished, tmp_path):
    _, ran, expected = finished
    study, store = miniature_study(), Store(str(tmp_path), create=True)
    again = []
    while part := drain(study, store, most=5):
        again += part
    assert sorted(again) == sorted(ran)
    assert results(study, store) == expected


def test_more_seeds_and_trials_extend_what_is_there(finished, copied):
    _, ran, _ = finished
    store = copied
    more = drain(miniature_study(seeds="2"), store)
    assert Counter(stage for stage, _ in more).keys() == {"sample", "score"}
    assert len([1 for stage, _ in more if stage == "score"]) == 4
    further = drain(miniature_study(search__n_trials="4"), store)
    assert not {key for _, key in further} & {key for _, key in ran}
    assert "train" not in {stage for stage, _ in further}


def test_larger_samples_reuse_the_chunks_already_there(copied):
    more = drain(miniature_study(n_images="80"), copied)
    counts = Counter(stage for stage, _ in more)
    assert counts == {"sample": 4, "score": 4, "yardstick": 1}  # one more chunk per cell


def test_a_changed_training_renews_all_that_rests_on_it(finished, tmp_path):
    _, ran, _ = finished
    before = {key for stage, key in ran if stage in ("train", "sample", "score")}
    store = Store(str(tmp_path), create=True)
    scheduler = Scheduler(miniature_study(train__seed="1"), store)
    scheduler.next_job()  # writes proposals
    assert not {job.key for job in Planner(store).missing(scheduler.wanted())} & before


@pytest.mark.parametrize("stage", ["train", "sample", "reference", "classifier", "score"])
def test_a_damaged_object_is_made_again_and_the_results_come_back(finished, copied, stage):
    _, _, expected = finished
    study, store = miniature_study(), copied
    for manifest in Path(store.url, "objects", stage).glob("*/manifest.json"):
        for path in manifest.parent.glob("*/*"):
            path.write_bytes(path.read_bytes()[:-3])
        manifest.write_text(manifest.read_text()[:-2])
    # Results that depend on the damaged objects are damaged too and must be computed again.
    for other in ("score", "yardstick"):
        for manifest in Path(store.url, "objects", other).glob("*/manifest.json"):
            manifest.write_text("")
            store.set_aside(other, manifest.parent.name)
    drain(study, store)
    assert results(study, store) == expected


def test_an_input_found_corrupt_by_a_job_is_made_again_first(finished, tmp_path):
    study, store = miniature_study(), Store(str(tmp_path), create=True)
    first_sample = [stage for stage, _ in finished[1]].index("sample")
    assert drain(study, store, most=first_sample + 1)[-1][0] == "sample"
    snapshot = study.snapshots[-1]
    path = next(Path(store.url, "objects/train", snapshot.key).glob("*/ema-0.999.safetensors"))
    path.write_bytes(b"")
    ran = drain(study, store)
    assert ("train", snapshot.key) in ran
    assert results(study, store) == finished[2]


def test_a_snapshot_continues_from_the_checkpoint_of_a_killed_run(tmp_path, finished):
    study, store = miniature_study(), Store(str(tmp_path), create=True)
    place = ExecutionContext(store=store)
    run = study.snapshots[0].train
    done = {}
    for iteration in (30, 60):
        for _ in execute(Snapshot(train=run, iteration=iteration), place):
            pass
        done[iteration] = store.checkpoint_names(run.key)
    assert done == {30: ["0000000030.safetensors"], 60: ["0000000060.safetensors"]}
    whole = Snapshot(train=run, iteration=60)
    for name in ("ema-0.99.safetensors", "ema-0.999.safetensors"):
        assert store.read("train", whole.key, name) == finished[0].read("train", whole.key, name)


def test_a_non_finite_loss_is_a_result_with_its_cause_and_blocks_no_one(tmp_path):
    study = miniature_study(train__optimizer__learning_rate="1e30")
    store = Store(str(tmp_path), create=True)
    ran = drain(study, store)
    scheduler = Scheduler(study, store)
    for run in scheduler.searches.values():
        assert run.is_complete and run.winner is None
    manifest = store.manifest("train", study.snapshots[0].key)
    assert "loss is nan" in manifest.result["failed"]
    assert drain(study, store) == [] and len(ran) > 0
    assert all(store.manifest(y.stage, y.key).result["distance"] for y in study.baselines)


def test_a_job_that_keeps_raising_is_given_up_with_its_cause(store):
    scheduler = Scheduler(miniature_study(), store)
    for _ in range(MAX_ATTEMPTS):
        job = scheduler.next_job()
        while job.stage != "train":
            job = scheduler.next_job()
        scheduler.report_failure(job.key, "RuntimeError: no luck")
    assert scheduler.given_up[job.key][1] == "RuntimeError: no luck"
    handed = []
    while (other := scheduler.next_job()) not in list(Wait):
        handed.append(other)
    assert job.key not in {j.key for j in handed}
    assert not scheduler.is_complete()


def test_a_result_that_is_claimed_but_not_stored_is_not_believed(store):
    scheduler = Scheduler(miniature_study(), store)
    job = scheduler.next_job()
    scheduler.report_stored(job.key)
    assert not scheduler.finished_here
    assert scheduler.next_job() == job


def test_snapshots_of_one_run_are_handed_out_one_at_a_time(store):
    scheduler = Scheduler(miniature_study(), store)
    jobs = []
    while (job := scheduler.next_job()) not in list(Wait):
        jobs.append(job)
    trainings = [job for job in jobs if isinstance(job, Snapshot)]
    assert [job.iteration for job in trainings] == [30]


def test_outcomes_hold_no_failure_unless_there_is_one():
    assert Outcome().result == {}


def test_chunks_of_one_sample_differ_and_do_not_depend_on_their_number(finished):
    store, _, _ = finished
    study = miniature_study()
    run = Scheduler(study, store).searches["cas n_sigma=1, non-adversarial"]
    fewer, more = run.trials[0].score, Rung(n_images=60, keep=1)
    score = run.space.score(run.trials[0].values, more)
    place = ExecutionContext(store=store)
    chunks = [c.features(place)["raw.features"] for c in score.chunks()[:2]]
    assert not chunks[0].equal(chunks[1])
    assert {c.key for c in fewer.chunks()} < {c.key for c in score.chunks()}
    assert all(isinstance(c, Chunk) for c in score.chunks())


def test_a_search_depends_on_specs_alone_and_not_on_earlier_budgets(tmp_path):
    # First with 2 trials, then with 4: the proposals equal those of 4 trials from the start.
    stores = [Store(str(tmp_path / name), create=True) for name in ("grown", "direct")]
    drain(miniature_study(search__n_trials="2"), stores[0])
    for store in stores:
        drain(miniature_study(search__n_trials="4"), store)
    study = miniature_study(search__n_trials="4")
    assert rounds(stores[0], study) == rounds(stores[1], study)
    assert results(study, stores[0]) == results(study, stores[1])


def test_a_corrupt_baseline_of_a_finished_study_is_made_again(finished, copied):
    study, store = miniature_study(), copied
    key = study.baselines[0].key
    Path(store.url, "objects/yardstick", key, "manifest.json").write_text("{")
    assert drain(study, store) == [("yardstick", key)]
    assert results(study, store) == finished[2]


def test_a_killed_runs_older_checkpoints_are_dropped_and_its_temporary_files_ignored(store):
    run = miniature_study().snapshots[0].train
    for name in ("0000000010.safetensors", "0000000020.safetensors"):
        store.put_checkpoint(run.key, name, b"left behind, and no checkpoint at all")
    folder = Path(store.url, "checkpoints", run.key)
    (folder / ".0000000025.safetensors.abcd").write_bytes(b"half")
    for path in folder.glob("0*"):
        path.write_bytes(path.read_bytes()[:-1])  # corrupt: the job must not start from it
    for _ in execute(Snapshot(train=run, iteration=30), ExecutionContext(store=store)):
        pass
    assert store.checkpoint_names(run.key) == ["0000000030.safetensors"]
