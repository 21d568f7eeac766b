"""Tests of draws ahead: the same values with and without a thread, and threads that end."""

import contextlib
import itertools
import threading

import pytest
import torch

from scorelib.devices import ahead as module
from scorelib.devices.ahead import ahead, resident
from scorelib.losses import Adversarial, CrossEntropy
from scorelib.metrics.accuracy import AccuracySpec, AccuracyTraining
from scorelib.networks import BigGanDiscriminator, NcsnPp, Ncsnv2, ResidualMlp, ResNetClassifier
from scorelib.optim import AdamSpec
from scorelib.schedules import GeometricSchedule
from scorelib.training.adversarial import AdversarialTraining
from scorelib.training.base import DsmTraining, NonFiniteError
from scorelib.training.classifier import ClassifierTraining
from tests.scorelib.devices.waits import Waits

CPU = torch.device("cpu")
PIXELS = torch.randint(
    256, (40, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)
LABELS = torch.arange(40) % 4
SETTINGS = {
    "schedule": GeometricSchedule(sigma_1=5.0, sigma_L=0.1, n_levels=6), "ema": (0.9,),
    "optimizer": AdamSpec(warmup=2, clip=1.0), "batch_size": 12, "flips": True, "seed": 4,
}  # fmt: skip


@pytest.fixture(params=[False, True], ids=["no thread", "thread"])
def threaded(request, monkeypatch):
    """Lets a thread draw ahead on the CPU, too."""
    monkeypatch.setattr(module, "draws_ahead", lambda device: request.param)
    return request.param


def drawing_threads():
    return [t for t in threading.enumerate() if t.name.startswith("draws")]


def built(spec, *arguments):
    torch.manual_seed(0)
    return spec.build(*arguments)


def dsm(network=None, **changes):
    network = network or built(ResidualMlp(width=8, depth=1), PIXELS.shape[1:])
    return DsmTraining(network, PIXELS, **SETTINGS | changes)


def with_dropout():
    return dsm(built(NcsnPp(width=4, n_blocks=1, dropout=0.5), PIXELS.shape[1:]))


def adversarial():
    return AdversarialTraining(
        built(Ncsnv2(ngf=2), PIXELS.shape[1:]), PIXELS, **SETTINGS,
        objective=Adversarial(n_d=2, discriminator=BigGanDiscriminator(width=1)),
    )  # fmt: skip


def classifier():
    return ClassifierTraining(
        built(ResNetClassifier(width=1), PIXELS.shape[1:], 4), PIXELS, LABELS,
        objective=CrossEntropy(), **SETTINGS,
    )  # fmt: skip


def accuracy():
    return AccuracyTraining(AccuracySpec(network="small", batch_size=10), PIXELS, LABELS, 4)


TRAININGS = [dsm, with_dropout, adversarial, classifier, accuracy]


@pytest.mark.parametrize(
    ("start", "on_device"), [*((start, True) for start in TRAININGS), (dsm, False)],
    ids=lambda value: getattr(value, "__name__", value),
)  # fmt: skip
def test_a_thread_changes_no_bit_of_a_training(start, on_device, monkeypatch):
    states, losses = [], []
    for with_thread in (False, True):
        monkeypatch.setattr(module, "draws_ahead", lambda device, on=with_thread: on)
        run = start()
        if not on_device:  # as if the images did not fit on the device
            monkeypatch.setattr(run, "_chosen", lambda i, run=run: run_chosen(run, i))
        seen = []
        for until in (5, 7):  # two calls, across an epoch
            seen += [step.losses for step in run.steps(until)]
        states.append(run.state()), losses.append(seen)
        assert not drawing_threads()
    assert losses[0] == losses[1] and losses[0][-1]
    assert_same(*states)
    if not on_device:
        whole = start()
        list(whole.steps(7))
        assert_same(whole.state(), states[0])


def assert_same(state, other):
    assert state.keys() == other.keys()
    assert all(torch.equal(value, other[name]) for name, value in state.items())


def run_chosen(run, indices):
    """Returns the draws with the examples, as for images that do not lie on the device."""
    draws = type(run)._chosen(run, indices)
    return draws._replace(images=run._images[indices])


def test_images_that_do_not_fit_stay_where_they_are(monkeypatch):
    device = torch.device("cuda")
    moved = []
    monkeypatch.setattr(torch.Tensor, "to", lambda self, to: moved.append(to) or self)
    for free, fits in ((4 * PIXELS.nbytes, True), (4 * PIXELS.nbytes - 4, False)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _, free=free: (free, 10**12))
        moved.clear()
        assert resident(PIXELS, device) is PIXELS and bool(moved) == fits


def test_a_thread_draws_one_value_ahead_and_ends_with_the_values(threaded):
    made = []
    values = (made.append(i) or (torch.tensor(i), None, "x") for i in range(4))
    found = ahead(values, CPU)
    first = next(found)
    assert first == (torch.tensor(0), None, "x")
    if threaded:
        assert len(drawing_threads()) == 1
    assert [int(value[0]) for value in found] == [1, 2, 3] and made == [0, 1, 2, 3]
    assert not drawing_threads()


def test_a_stopped_loop_ends_its_thread(threaded):
    run = dsm()
    with contextlib.closing(run.steps(50)) as steps:
        for step in steps:
            if step.iteration == 3:
                break
    assert not drawing_threads()
    again = dsm()
    list(again.steps(3))
    list(run.steps(9)), list(again.steps(9))
    assert_same(run.state(), again.state())


def test_an_error_of_the_draws_comes_when_their_value_is_needed(threaded):
    def values():
        yield from map(torch.tensor, range(3))
        raise ValueError("no more noise")

    found = ahead(values(), CPU)
    assert [int(value) for value in itertools.islice(found, 3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="no more noise"):
        next(found)
    assert not drawing_threads()


def test_a_divergence_is_found_at_the_next_check_and_ends_the_thread(threaded):
    run = dsm()
    with torch.no_grad():
        next(run.network.parameters()).fill_(torch.nan)
    with pytest.raises(NonFiniteError, match="dsm loss is nan at iteration 50"):
        list(run.steps(120))
    assert not drawing_threads()


@pytest.mark.parametrize("start", TRAININGS, ids=lambda start: start.__name__)
def test_a_training_waits_for_the_device_at_its_checks_only(start, monkeypatch):
    monkeypatch.setattr("scorelib.training.base.CHECK_EVERY_ITERATIONS", 3)
    run, waits, at = start(), Waits(), []
    with waits:
        for step in run.steps(7):
            at.append(waits.clear())
            assert bool(at[-1]) == bool(step.losses), (step.iteration, at[-1])
    assert [i for i, found in enumerate(at, start=1) if found] == [3, 6, 7]
    assert {tuple(found) for found in at if found} == {("tolist",)}
