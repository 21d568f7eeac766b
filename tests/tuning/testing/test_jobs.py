"""Tests of the contract of jobs, on every kind of job and on jobs that break a rule."""

import hashlib
import io
import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import safetensors.torch
import torch

from scorelib.data import Digits, Moons
from scorelib.data.facts import digest_of
from scorelib.data.own.pictures import Pictures
from scorelib.losses import Dlsm, Dsm
from scorelib.metrics import ClassifierFeatures, ClassifierSpec, Coordinates
from scorelib.metrics.accuracy import AccuracySpec
from scorelib.metrics.features import Pixels
from scorelib.metrics.statistics import Statistics
from scorelib.networks import PlaneMlp, PlaneMlpClassifier, ResidualMlp
from scorelib.optim import AdamSpec
from scorelib.samplers import Als, Langevin
from scorelib.schedules import GeometricSchedule
from scorelib.weights import save
from tests.components import components, refused
from tuning.jobs import Job, Outcome, Progress, Stage, Work
from tuning.stages import (
    Baseline,
    Chunk,
    ClassificationAccuracy,
    DataShares,
    FidProtocol,
    Frames,
    GeneratedShares,
    GuidedSampleSpec,
    ImportedWeights,
    Nearest,
    NoiseClassifierSnapshot,
    NoiseClassifierTrainSpec,
    NoiseLevel,
    OracleErrors,
    PictureChunk,
    PicturesReference,
    PicturesScore,
    RealFeatures,
    RealScore,
    Reference,
    Renormalisation,
    SampleSize,
    SampleSpec,
    Score,
    ScoreErrors,
    Snapshot,
    StatisticsReference,
    TrainClassifier,
    TrainSpec,
    WeightsFile,
)
from tuning.testing import check_job

DIGITS, MOONS = Digits(), Moons(n=40)
RUN = {"optimizer": AdamSpec(), "ema": (0.9,), "batch_size": 8}
LEVELS = GeometricSchedule(sigma_1=4.0, sigma_L=0.1, n_levels=4)
SNAPSHOT = Snapshot(
    train=TrainSpec(
        data=DIGITS, network=ResidualMlp(width=8, depth=1), objective=Dsm(), schedule=LEVELS, **RUN
    ),
    iteration=4,
)
SAMPLE = SampleSpec(model=SNAPSHOT, ema=0.9, sampler=Als(epsilon=0.005), chunk_images=6)
FEATURES = ClassifierFeatures(
    classifier=ClassifierSpec(data=DIGITS, iterations=3, width=2, n_features=4)
)
REFERENCE = Reference(data=DIGITS, split="train", extractor=FEATURES)
POINTS = Snapshot(
    train=TrainSpec(data=MOONS, network=PlaneMlp(width=2), objective=Dsm(), schedule=LEVELS, **RUN),
    iteration=3,
)
CLASSIFIER = NoiseClassifierSnapshot(
    train=NoiseClassifierTrainSpec(
        data=MOONS, network=PlaneMlpClassifier(width=2), objective=Dlsm(), score=POINTS,
        score_ema=0.9, schedule=LEVELS, **RUN,
    ),
    iteration=3,
)  # fmt: skip
GUIDED = GuidedSampleSpec(
    model=POINTS, ema=0.9, sampler=Langevin(sigma=1.0, epsilon=0.1, n_steps=3), chunk_images=8,
    classifier=CLASSIFIER, classifier_ema=0.9,
)  # fmt: skip

NETWORK = ResidualMlp(width=8, depth=1)
STATE = SNAPSHOT.train.build().state_dict()
IMPORTED = ImportedWeights(
    weights=WeightsFile(
        sha256=hashlib.sha256(safetensors.torch.save(STATE)).hexdigest(),
        network=NETWORK,
        schedule=LEVELS,
    ),
    data=DIGITS,
)

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 1), dtype=np.uint8)
PICTURES = Pictures(
    name="", shape=(1, 8, 8), n_images=6, n_distinct=6,
    chunks=(digest_of(torch.from_numpy(PIXELS).movedim(-1, 1).contiguous()),),
)  # fmt: skip
STATISTICS = io.BytesIO()
np.savez(STATISTICS, mu=np.zeros(4), sigma=np.eye(4))
STATISTICS_SHA256 = hashlib.sha256(STATISTICS.getvalue()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class InTurn(SampleSpec):
    """Images with classes requested in turn."""

    def labels(self, n_images):
        return torch.arange(n_images) % self.model.train.data.n_classes


LABELLED = InTurn(model=SNAPSHOT, ema=0.9, sampler=Als(epsilon=0.005), chunk_images=6)
TAUGHT = AccuracySpec(network="small", batch_size=4, iterations=3)
FD = FidProtocol(extractor=FEATURES, data=DIGITS, n_images=10)
DRAWN = RealFeatures(data=DIGITS, split="test", extractor=Pixels(shape=(1, 8, 8)))
JOBS = [
    SNAPSHOT,
    CLASSIFIER,
    Chunk(sample=SAMPLE, index=0, extractor=FEATURES),
    Chunk(sample=GUIDED, index=1, extractor=Coordinates()),
    Score(sample=SAMPLE, protocol=FD),
    RealScore(features=DRAWN, protocol=FD.replace(extractor=DRAWN.extractor)),
    TrainClassifier(classifier=FEATURES.classifier),
    REFERENCE,
    DRAWN,
    Baseline(reference=REFERENCE, kind="gaussian", n_images=10),
    Frames(sample=SAMPLE, n_images=2, n_frames=3),
    Nearest(sample=SAMPLE, extractor=FEATURES, n_images=2),
    GeneratedShares(sample=SAMPLE, n_images=10, extractor=FEATURES),
    DataShares(data=DIGITS, split="test"),
    NoiseLevel(schedule=LEVELS, sampler=Als(epsilon=0.005)),
    Renormalisation(alpha=2.0),
    ScoreErrors(data=MOONS, sigma=2.0, models=(POINTS,), ema=0.9, classifier=CLASSIFIER),
    OracleErrors(data=MOONS, sigma=2.0),
    ClassificationAccuracy(sample=LABELLED, n_images=10, classifier=TAUGHT),
    SampleSize(score=Score(sample=SAMPLE, protocol=FD), n_reported=50),
    IMPORTED,
    PictureChunk(digest=PICTURES.chunks[0], n_images=6, shape=(1, 8, 8), extractor=FEATURES),
    PicturesReference(pictures=PICTURES, extractor=FEATURES),
    PicturesScore(pictures=PICTURES, protocol=FD.replace(n_images=5)),
    StatisticsReference(
        statistics=Statistics(name="published", sha256=STATISTICS_SHA256, n_features=4),
        extractor=FEATURES,
    ),
]


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.KIND)
def test_contract(job, tmp_path):
    save(tmp_path / "weights", NETWORK, LEVELS, STATE, shape=DIGITS.shape)
    (tmp_path / "stores").mkdir()
    (tmp_path / "published.npz").write_bytes(STATISTICS.getvalue())
    np.savez(tmp_path / "pictures.npz", PIXELS)
    pieces = {
        STATISTICS_SHA256: (str(tmp_path / "published.npz"), 0),
        PICTURES.chunks[0]: (str(tmp_path / "pictures.npz"), 0),
    }
    check_job(
        job, tmp_path / "stores", weights=(tmp_path / "weights",), spot_check=False, pieces=pieces
    )


def test_every_kind_of_job_is_checked():
    assert {type(job) for job in JOBS} >= components(Job)


@dataclass(frozen=True, kw_only=True)
class Count(Job):
    """Counts to four; `how` names the broken rule."""

    STAGE: ClassVar[Stage] = Stage("count", 1, "score")
    done: ClassVar[list] = []
    how: str = ""

    def title(self):
        return "a\nb" if self.how == "title" else "count"

    def inputs(self):
        return [Count()] if self.how == "inputs" else ()

    def work(self):
        return {"work": 3, "cost": Work(images=-1)}.get(self.how, Work())

    def run(self, at):
        for done in range(4):
            yield done if self.how == "number" else Progress(done, 3, "numbers")
            if self.how == "backwards" and done == 2:
                yield Progress(1, 3, "numbers")
            if self.how == "global":
                torch.rand(1)
            self.done.append(done)
        number = {"nan": math.nan, "result": len(self.done)}.get(self.how, 4)
        content = len(self.done) if self.how == "file" else 4
        files = {} if self.how == "no file" and len(self.done) > 4 else {"n": bytes([content])}
        return None if self.how == "returns" else Outcome(result={"n": number}, files=files)


@dataclass(frozen=True, kw_only=True)
class Stageless(Job):
    """A job without a stage."""

    def title(self):
        return "stageless"

    def run(self, at):
        yield Progress(0, 1, "steps")
        return Outcome()


@pytest.mark.parametrize(
    ("job", "message"),
    [
        (3, "^int must be a subclass of Job$"),
        (Stageless(), "^Stageless.STAGE must be a Stage, but got None$"),
        (Count(how="title"), r"^Count.title\(\) must be one line of text"),
        (Count(how="inputs"), r"^Count.inputs\(\) must return a tuple of jobs, but got \["),
        (Count(how="work"), r"^Count.work\(\) must return a Work, but got 3$"),
        (Count(how="cost"), r"^Count.work\(\).images must not be negative, but got -1$"),
        (Count(how="number"), "^Count.run must yield Progress, but yielded 0$"),
        (Count(how="backwards"), "done must grow from 0 to total = 3, but got 1 after 2$"),
        (Count(how="global"), "^Count.run must leave the global random generators alone"),
        (Count(how="nan"), "^Count: the result must be JSON with finite numbers, but Out of range"),
        (Count(how="returns"), "^Count.run must return an Outcome, but returned None$"),
        (Count(how="result"), "killed and run again must give the result of a whole run, {'n': 4}"),
        (Count(how="file"), "must store the file n of a whole run, but stored another$"),
        (Count(how="no file"), "must store the file n of a whole run, but stored another$"),
    ],
)
def test_a_broken_rule_is_named(job, message, tmp_path):
    Count.done.clear()
    refused(message, check_job, job, tmp_path)
