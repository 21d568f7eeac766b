"""Tests of stages: which settings change a result, devices, starts, stored images."""

import io
import shutil

import pytest
import torch
from PIL import Image

from scorelib.errors import InputError
from scorelib.networks import Ncsnv2, ResidualMlp
from scorelib.schedules import ExplicitSchedule, GeometricSchedule
from tests.tuning.miniature import first_score, miniature_study
from tuning.job_runs import execute
from tuning.jobs import ExecutionContext, MissingInputError
from tuning.stages import SampleSpec, Snapshot
from tuning.stages.baseline import gaussian_like
from tuning.store.store import Store
from tuning.testing import finish


@pytest.mark.parametrize("options", [{"batch_images": 7}, {"compile": True}])
def test_execution_options_do_not_change_a_sample(store, tmp_path, monkeypatch, options):
    if "compile" in options and not (shutil.which("g++") or shutil.which("clang++")):
        pytest.skip("torch.compile needs a C++ compiler")
    # Excludes code that another machine with this home folder compiled for its processor.
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    chunk = first_score(miniature_study()).chunks()[0]
    place = ExecutionContext(store=store)
    finish(chunk, place)
    other = ExecutionContext(store=Store(str(tmp_path / "other"), create=True), **options)
    for needed in chunk.inputs() if "compile" in options else ():  # see the tests of trainings
        finish(needed, ExecutionContext(store=other.store))
    finish(chunk, other)
    ours, theirs = chunk.features(place), chunk.features(other)
    for name in ours:
        torch.testing.assert_close(theirs[name], ours[name], rtol=1e-4, atol=1e-5)


def test_bfloat16_changes_a_sample_only_slightly(store, convolutional):
    sampler = first_score(miniature_study()).sample.sampler
    sample = SampleSpec(model=convolutional, ema=0.9, sampler=sampler, chunk_images=8)
    extractor = miniature_study().cells[0].protocol.extractor
    from tuning.stages import Chunk

    place = ExecutionContext(store=store)
    chunk = Chunk(sample=sample, index=0, extractor=extractor)
    coarse = chunk.replace(sample=sample.replace(precision="bf16"))
    assert coarse.key != chunk.key and coarse.rate_name == f"{chunk.rate_name} bf16"
    # Both sample from one snapshot: only the sampling differs.
    for job in (convolutional, chunk, coarse):
        finish(job, place)
    exact, rough = (job.features(place)["denoised.features"] for job in (chunk, coarse))
    assert not torch.equal(exact, rough)
    assert (exact - rough).norm() < 0.1 * exact.norm()


def test_a_gpu_that_is_not_there_is_an_error_and_not_a_silent_cpu(store):
    snapshot = miniature_study().snapshots[0]
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises((RuntimeError, AssertionError), match=r"CUDA|NVIDIA"):
        finish(snapshot, ExecutionContext(store=store, device="cuda"))
    assert not store.has(snapshot.stage, snapshot.key)


@pytest.mark.parametrize("start", ["uniform", "data"])
def test_other_starts_give_other_samples(store, start):
    place = ExecutionContext(store=store)
    base = first_score(miniature_study()).chunks()[0]
    other = base.replace(sample=base.sample.replace(start=start))
    finish(base, place), finish(other, place)
    assert base.key != other.key
    a, b = (c.features(place)["raw.features"] for c in (base, other))
    assert not torch.equal(a, b)


def test_a_network_is_trained_and_sampled_on_a_list_of_levels(store):
    place, levels = ExecutionContext(store=store), (4.8, 3.0, 0.7, 0.1)
    study = miniature_study()
    chunk = first_score(study, "als n_sigma=1, non-adversarial").chunks()[0]
    spread = GeometricSchedule(sigma_1=4.8, sigma_L=0.1, n_levels=4)
    features = {}
    for schedule in (
        ExplicitSchedule(sigmas=levels),
        ExplicitSchedule(sigmas=spread.sigmas),
        spread,
    ):
        model = chunk.sample.model
        model = model.replace(train=model.train.replace(schedule=schedule))
        job = chunk.replace(sample=chunk.sample.replace(model=model))
        assert job.work().evaluations == 20 * 4
        assert (job.sample.r is None) == (schedule is not spread)
        finish(job, place)
        features[schedule] = job.features(place)["denoised.features"]
    own, listed, geometric = features.values()
    assert torch.equal(listed, geometric) and not torch.equal(own, geometric)


def test_only_the_first_chunk_keeps_pictures_raw_and_denoised(store):
    place = ExecutionContext(store=store)
    first, second = first_score(miniature_study(), "als n_sigma=5, non-adversarial").chunks()
    assert set(finish(first, place).files) == {"features.safetensors", "raw.png", "denoised.png"}
    assert set(finish(second, place).files) == {"features.safetensors"}
    raw, denoised = (
        Image.open(io.BytesIO(store.read(first.stage, first.key, name)))
        for name in ("raw.png", "denoised.png")
    )
    assert raw.size == denoised.size and raw.size[0] > 500
    assert raw.tobytes() != denoised.tobytes()


def test_a_job_without_its_input_says_so(store):
    chunk = first_score(miniature_study()).chunks()[0]
    with pytest.raises(MissingInputError):
        list(execute(chunk, ExecutionContext(store=store)))


def test_inadmissible_step_sizes_and_unknown_decays_are_refused_in_the_spec():
    sample = first_score(miniature_study()).sample
    with pytest.raises(InputError, match=r"epsilon must be in \(.*\) for cas"):
        sample.replace(sampler=sample.sampler.replace(epsilon=1e-9))
    with pytest.raises(InputError, match=r"ema must be one of .*, but got 0.5"):
        sample.replace(ema=0.5)


def test_work_is_counted_in_network_evaluations(convolutional):
    study = miniature_study()
    chunk = first_score(study).chunks()[0]
    assert chunk.work().evaluations == 20 * 6
    assert convolutional.work().evaluations == 4 * 16
    assert convolutional.work().multiply_adds == 3 * 64 * convolutional.train.multiply_adds


def test_only_networks_of_image_size_want_a_gpu(convolutional):
    assert not convolutional.wants_gpu() and not miniature_study().snapshots[0].wants_gpu()
    large = convolutional.train.replace(network=Ncsnv2(ngf=128))
    assert Snapshot(train=large, iteration=1).wants_gpu()


def test_the_baselines_are_what_they_say(store):
    study, place = (
        miniature_study(extractor__classifier__iterations="300"),
        ExecutionContext(store=store),
    )
    held_out, gaussian = (finish(y, place).result["distance"] for y in study.baselines)
    assert 0 < held_out < gaussian


@pytest.mark.parametrize("n", [30, 200])
def test_gaussian_images_have_the_datas_moments_however_large_they_are(n):
    # 48 dimensions: from their covariance, and, for 30 images, from the images themselves.
    draw = torch.Generator().manual_seed(n)
    images = torch.randint(0, 256, (n, 3, 4, 4), generator=draw, dtype=torch.uint8)
    drawn = gaussian_like(images, 40_000, seed=0).flatten(1).double()
    flat = (images.double() / 255).flatten(1)
    torch.testing.assert_close(drawn.mean(0), flat.mean(0), atol=0.01, rtol=0)
    torch.testing.assert_close(torch.cov(drawn.T), torch.cov(flat.T), atol=0.006, rtol=0)
    assert torch.linalg.matrix_rank(torch.cov(drawn.T), rtol=1e-6) == min(n - 1, 48)
    floats = gaussian_like(images.float() / 255, 5, seed=0)
    torch.testing.assert_close(gaussian_like(images, 5, seed=0), floats)


def test_networks_without_images_have_no_channels_to_put_last():
    from scorelib.networks.layout import laid_out

    network = ResidualMlp(width=8, depth=1).build((5,))
    assert laid_out(network, (5,)) is network


def test_a_training_is_compiled_where_the_context_says_so(store, convolutional):
    for on in (False, True):
        place = ExecutionContext(store=store, compile=on)
        run = convolutional.train.training(place)
        assert (run.network._compiled_call_impl is not None) == on
