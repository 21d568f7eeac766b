"""Tests of the trainable in this process: incidents that a worker handles, and its reports."""

import os
from pathlib import Path

import pytest
import safetensors.torch
import torch

from scorelib.networks.mlp import ResidualMlp
from tests.tuning.miniature import first_score, miniature_study
from tests.tuning.quadratic import Quadratic, space, study
from tuning.execution import trainable
from tuning.execution.batches import BatchSizes, Memory
from tuning.execution.resources import DEFAULT_SHARE, GpuMemory
from tuning.execution.searcher import JobSearcher
from tuning.execution.trainable import Execution, JobTrainable
from tuning.scheduling.scheduler import Scheduler
from tuning.stages import Chunk
from tuning.store.store import Manifest, Store


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch):
    """Resets the process to a worker that has not run out of memory yet."""
    monkeypatch.setattr(JobTrainable, "_batches", BatchSizes())


def run(job, store, **options):
    """Runs the trainable of a job to its end; returns the last report."""
    trainable = JobTrainable(config=Execution(store_url=store.url, **options).config(job, gpus=0.0))
    while not (result := trainable.train())["done"]:
        pass
    return result


def run_with_inputs(job, store, **options):
    for needed in job.inputs():
        run_with_inputs(needed, store, **options)
    return run(job, store, **options)


@pytest.fixture
def chunk():
    return first_score(miniature_study()).chunks()[0]


def test_a_job_that_the_worker_cannot_read_is_told_with_its_cause(store, chunk):
    config = Execution(store_url=store.url).config(chunk, gpus=0.0)
    config["job"] = config["job"].replace('"Chunk"', '"Chunck"')
    report = JobTrainable(config=config).train()
    assert report["outcome"] == "refused" and report["done"]
    assert "known kind; got 'Chunck'; the nearest is 'Chunk'" in report["cause"]


@pytest.mark.parametrize(("is_trial", "outcome"), [(True, "stored"), (False, "error")])
def test_an_exception_of_a_trial_is_stored_and_any_other_is_reported(store, is_trial, outcome):
    job = Quadratic(returns="raises")
    config = Execution(store_url=store.url).config(job, gpus=0.0, is_trial=is_trial)
    worker = JobTrainable(config=config)
    while not (report := worker.train())["done"]:
        pass
    assert report["outcome"] == outcome
    found = store.manifest(job.stage, job.key)
    assert (found is not None and "ValueError: no bowl (quad" in found.result["failed"]) == is_trial


@pytest.mark.parametrize(("job", "is_trial"), [(Quadratic(), True), (None, False)])
def test_the_searcher_says_which_jobs_are_trials(store, job, is_trial):
    made = study(space("random", job=job), 4) if job else miniature_study()
    searcher = JobSearcher(Scheduler(made, store), Execution(store_url=store.url), None)
    assert searcher.suggest("0")["is_trial"] == is_trial


@pytest.fixture
def small_memory(monkeypatch):
    """Simulates a device with memory for the activations of eight images."""
    build, batches = ResidualMlp.build, []

    def limited(self, *arguments):
        network = build(self, *arguments)

        def refuse(module, inputs):
            batches.append(len(inputs[0]))
            if len(inputs[0]) > 8:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

        network.register_forward_pre_hook(refuse)
        return network

    monkeypatch.setattr(ResidualMlp, "build", limited)
    return batches


def test_out_of_memory_halves_the_batch_and_the_results_are_the_same(
    store, tmp_path, chunk, small_memory, monkeypatch
):
    assert run_with_inputs(chunk, store, batch_images=100)["outcome"] == "stored"
    # 100, 50, 25, 12, 6: training splits its 128 images in 22 parts; sampling has 20 images in 5s.
    assert max(small_memory) == 64 and min(small_memory) <= 6
    assert [JobTrainable._batches.of(stage, 100) for stage in ("train", "sample")] == [6, 6]
    monkeypatch.undo()
    plain = Store(str(tmp_path / "plain"), create=True)
    assert run_with_inputs(chunk, plain)["outcome"] == "stored"
    for job, name in ((chunk, "features"), (chunk.sample.model, "ema-0.999")):
        ours, theirs = (
            safetensors.torch.load(s.read(job.stage, job.key, f"{name}.safetensors"))
            for s in (store, plain)
        )
        for tensor in ours:
            torch.testing.assert_close(ours[tensor], theirs[tensor], rtol=1e-3, atol=1e-5)


def test_a_halved_batch_grows_again_with_the_measured_memory(
    store, tmp_path, chunk, small_memory, monkeypatch
):
    chunks = first_score(miniature_study()).sample.chunks(100, chunk.extractor)
    per_image, device = 1_000, {"available": 10_000}

    def measured(of):
        peak = per_image * small_memory[-1]
        return Memory(peak_bytes=peak, available_bytes=device["available"])

    monkeypatch.setattr(trainable, "memory_of", measured)
    run_with_inputs(chunks[0], store, batch_images=100)
    assert JobTrainable._batches.of("sample", 100) == 6, "twice five images would not fit"
    device["available"] = 13_000  # by this measure twice five fit; in truth eight do
    sizes = []
    for job in chunks[1:]:
        assert run(job, store, batch_images=100)["outcome"] == "stored"
        sizes.append(JobTrainable._batches.of("sample", 100))
    # 12 images failed on the way down, fail once more, and are not tried a third time.
    assert sizes == [12, 6, 6, 6]


def test_batches_grow_up_to_the_setting_and_not_on_a_cpu():
    batches, plenty = BatchSizes(), Memory(peak_bytes=1, available_bytes=100)
    assert [batches.halve("train", 10) for _ in range(4)] == [5, 2, 1, None]
    batches.grow("train", 10, None)
    assert batches.of("train", 10) == 1 and batches.of("sample", 10) == 10
    sizes = []
    for _ in range(5):
        batches.grow("train", 10, plenty)
        sizes.append(batches.of("train", 10))
    assert sizes == [2, 4, 8, 10, 10]
    assert batches.of("train", 4) == 4, "the setting of another study is smaller"


def test_a_device_too_small_for_one_image_is_an_error(store, chunk, monkeypatch):
    def refuse(module, inputs):
        raise torch.OutOfMemoryError("CUDA out of memory")

    build = ResidualMlp.build

    def never(self, *arguments):
        network = build(self, *arguments)
        network.register_forward_pre_hook(refuse)
        return network

    monkeypatch.setattr(ResidualMlp, "build", never)
    result = run(chunk.sample.model, store)
    assert result["outcome"] == "error" and "CUDA out of memory" in result["cause"]


def test_a_store_this_worker_does_not_see_is_refused_with_its_host(tmp_path, chunk):
    class Elsewhere:
        url = str(tmp_path / "not-here")

    result = run(chunk, Elsewhere)
    assert result["outcome"] == "refused"
    assert os.uname().nodename in result["cause"] and "has no store.json" in result["cause"]


def test_missing_inputs_are_told_apart_from_errors(store, chunk):
    assert run(chunk, store)["outcome"] == "missing"


def test_a_store_that_cannot_be_read_for_once_is_no_refusal_of_the_study(store, chunk):
    for needed in chunk.inputs():
        run_with_inputs(needed, store)
    path = Path(store.url) / f"objects/train/{chunk.sample.model.key}/manifest.json"
    manifest = path.read_bytes()
    path.unlink()
    path.mkdir()
    result = run(chunk, store)
    assert result["outcome"] == "error"
    assert "StoreReadError" in result["cause"] and "must be readable" in result["cause"]
    path.rmdir()
    path.write_bytes(manifest)
    assert run(chunk, store)["outcome"] == "stored"


# -- shares of a GPU by measured memory ------------------------------------------------------------


def finished(job, peak, device="NVIDIA H100 80GB HBM3", total=80_000_000_000):
    cost = {"device": device, "gpu_bytes": peak, "gpu_total_bytes": total}
    return Manifest(job.stage, job.key, {}, {}, cost, {})


def test_gpus_are_shared_by_the_memory_that_jobs_took(store, chunk):
    memory = GpuMemory(store)
    assert memory.share() == DEFAULT_SHARE
    memory.note(chunk, finished(chunk, 9_000_000_000))
    assert memory.share() == 1 / 7  # 9 GB, plus 15% and .6 GB of context: seven per 80 GB
    memory.note(chunk, finished(chunk, 3_000_000_000))
    assert memory.share() == 1 / 7, "the most counts"
    assert GpuMemory(store).share() == 1 / 7, "kept in the store"
    memory.note(chunk, finished(chunk, 9_000_000_000, "NVIDIA A10", 24_000_000_000))
    assert memory.share() == 1 / 2, "the smallest kind of GPU decides"
    memory.note(chunk, finished(chunk, 23_500_000_000, "NVIDIA A10", 24_000_000_000))
    assert memory.share() == 1.0


def test_trainings_and_cpu_jobs_tell_nothing_of_sampling(store, chunk):
    memory = GpuMemory(store)
    training = chunk.sample.model
    memory.note(training, finished(training, 70_000_000_000))
    memory.note(chunk, Manifest(Chunk.stage, chunk.key, {}, {}, {"device": "cpu x1"}, {}))
    assert memory.share() == DEFAULT_SHARE


def test_small_jobs_do_not_crowd_a_gpu(store, chunk):
    memory = GpuMemory(store)
    memory.note(chunk, finished(chunk, 1_000_000))
    assert memory.share() == 1 / 8
