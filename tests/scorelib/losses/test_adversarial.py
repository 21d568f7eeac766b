"""Tests of adversarial score matching: every loss and Eqs. 4 and 5 by hand, exact resumption."""

import copy
import itertools
import math

import pytest
import torch

from scorelib.data import Digits
from scorelib.errors import InputError
from scorelib.losses import DISCRIMINATOR_ADAM, SCORE_ADAM, Adversarial, Dsm, GanLoss
from scorelib.networks import BigGanDiscriminator, Ncsnv2, ResidualMlp, multiply_adds
from scorelib.optim import AdamSpec
from scorelib.schedules import GeometricSchedule
from scorelib.spec import from_json
from scorelib.testing import check_training
from scorelib.training.adversarial import AdversarialTraining
from scorelib.training.base import DsmTraining, NonFiniteError

KINDS = ("lsgan", "gan", "hinge")
RELATIVISTIC = ("none", "paired", "average")
SCHEDULE = GeometricSchedule(sigma_1=5.0, sigma_L=0.1, n_levels=10)
SMALL = Adversarial(discriminator=BigGanDiscriminator(width=1), n_d=1)


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


# Losses as the papers state them: of a clean and of a denoised image, for the discriminator.
AS_CLEAN = {
    "lsgan": lambda c: (c - 1) ** 2,
    "gan": lambda c: -math.log(1 / (1 + math.exp(-c))),
    "hinge": lambda c: max(0.0, 1 - c),
}
AS_DENOISED = {
    "lsgan": lambda c: (c + 1) ** 2,
    "gan": lambda c: -math.log(1 - 1 / (1 + math.exp(-c))),
    "hinge": lambda c: max(0.0, 1 + c),
}


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def of_discriminator(kind, relativistic, r, h):
    clean, denoised = AS_CLEAN[kind], AS_DENOISED[kind]
    if relativistic == "none":
        return mean(map(clean, r)) + mean(map(denoised, h))
    if relativistic == "paired":
        return mean(clean(a - b) for a, b in zip(r, h, strict=True))
    return mean(clean(a - mean(h)) for a in r) + mean(denoised(b - mean(r)) for b in h)


def of_score(kind, relativistic, saturating, r, h):
    if relativistic == "none":
        if saturating:
            return -mean(map(AS_DENOISED[kind], h))
        return -mean(h) if kind == "hinge" else mean(map(AS_CLEAN[kind], h))
    if saturating:
        return -of_discriminator(kind, relativistic, r, h)
    return of_discriminator(kind, relativistic, h, r)


@pytest.mark.parametrize(
    ("kind", "relativistic", "saturating"),
    list(itertools.product(KINDS, RELATIVISTIC, (False, True))),
)
def test_every_loss_by_hand(kind, relativistic, saturating):
    r, h = [0.5, 2.25, -1.5, 0.0], [-0.25, 1.5, 0.125, -3.0]
    loss = GanLoss(kind=kind, relativistic=relativistic, saturating=saturating)
    clean, denoised = (torch.tensor(t, dtype=torch.float64) for t in (r, h))
    found = loss.of_discriminator(clean, denoised).item()
    assert found == pytest.approx(of_discriminator(kind, relativistic, r, h), rel=1e-12)
    found = loss.of_score(None if relativistic == "none" else clean, denoised).item()
    assert found == pytest.approx(of_score(kind, relativistic, saturating, r, h), rel=1e-12)


def test_least_squares_to_the_digit():
    clean, denoised = torch.tensor([1.0, 0.0]), torch.tensor([-1.0, 2.0])
    assert GanLoss().of_discriminator(clean, denoised).item() == 0.5 + 4.5  # targets +1 and -1
    assert GanLoss().of_score(None, denoised).item() == 2.5


@pytest.mark.parametrize(
    ("kind", "relativistic", "saturating"),
    list(itertools.product(KINDS, RELATIVISTIC, (False, True))),
)
def test_the_players_pull_answers_opposite_ways(kind, relativistic, saturating):
    loss = GanLoss(kind=kind, relativistic=relativistic, saturating=saturating)
    clean = torch.tensor([0.2, -0.1, 0.4], requires_grad=True)  # all differences are in (-1, 1)
    denoised = torch.tensor([-0.3, 0.1, -0.2], requires_grad=True)
    by_clean, by_denoised = torch.autograd.grad(
        loss.of_discriminator(clean, denoised), (clean, denoised)
    )
    assert (by_clean < 0).all() and (by_denoised > 0).all()
    value = loss.of_score(None if relativistic == "none" else clean, denoised)
    assert (torch.autograd.grad(value, denoised)[0] < 0).all()


@pytest.mark.parametrize(("kind", "best"), [("lsgan", 0.5), ("gan", math.log(3))])
def test_the_best_answer_where_three_clean_images_meet_one_denoised(kind, best):
    # (p - q) / (p + q) for lsgan, log p/q for gan. Other losses give another answer.
    here = torch.tensor(best, dtype=torch.float64, requires_grad=True)
    elsewhere = torch.tensor(0.3, dtype=torch.float64)
    clean = torch.stack([here, here, here, elsewhere])
    denoised = torch.stack([here, elsewhere, elsewhere, elsewhere])
    GanLoss(kind=kind).of_discriminator(clean, denoised).backward()
    assert here.grad.item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("kind", "relativistic"), list(itertools.product(KINDS, RELATIVISTIC)))
def test_the_order_of_a_batch_is_nothing(kind, relativistic):
    loss = GanLoss(kind=kind, relativistic=relativistic)
    draw = torch.Generator().manual_seed(0)
    clean, denoised = torch.randn(2, 6, dtype=torch.float64, generator=draw)
    order, other = torch.randperm(6, generator=draw), torch.randperm(6, generator=draw)
    together = loss.of_discriminator(clean[order], denoised[order])
    torch.testing.assert_close(together, loss.of_discriminator(clean, denoised))
    apart = loss.of_discriminator(clean[order], denoised[other])
    assert torch.isclose(apart, together).item() == (relativistic != "paired")


def training(objective=SMALL, network=None, cls=AdversarialTraining, **changes):
    images, _ = Digits().load("train")
    torch.manual_seed(3)
    made = network or ResidualMlp(width=16, depth=1).build((1, 8, 8))
    options = {
        "schedule": SCHEDULE, "optimizer": SCORE_ADAM.replace(learning_rate=1e-3),
        "ema": (0.9, 0.99), "batch_size": 100, "flips": True, "seed": 0,
    } | changes  # fmt: skip
    if cls is AdversarialTraining:
        options["objective"] = objective
    return cls(made, images, **options)


def untrained(objective=SMALL, **changes):
    """Returns a run, and copies of its networks before the first update."""
    run = training(objective, **changes)
    with torch.no_grad():  # so that denoised pixels lie on both sides of 0 and 1
        for p in run.network.parameters():
            p.add_(0.02 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
    return run, copy.deepcopy(run.network), copy.deepcopy(run.discriminator)


def column(sigma):
    return sigma.reshape(-1, 1, 1, 1)


@pytest.mark.parametrize("clamp_fakes", [True, False])
def test_the_first_updates_follow_equations_4_and_5(clamp_fakes):
    run, network, discriminator = untrained(SMALL.replace(lambda_=0.01, clamp_fakes=clamp_fakes))

    def denoised(x, sigma, noise):
        noised = x + column(sigma) * noise
        score = network(noised, sigma) / column(sigma)
        h = score * column(sigma) ** 2 + noised
        return noised, score, (h.clamp(0, 1) if clamp_fakes else h)

    (step,) = run.steps(1)
    # Equation 4 on the images and the noise of the discriminator's first update.
    of_discriminator, of_score = run._draws(1)
    x, sigma, noise = run._examples(of_discriminator)
    discriminator.refresh_norms()
    h = denoised(x, sigma, noise)[2].detach()
    loss = ((discriminator(x) - 1) ** 2).mean() + ((discriminator(h) + 1) ** 2).mean()
    loss.backward()
    assert step.losses["discriminator"] == pytest.approx(loss.item(), rel=1e-5)
    assert_same_gradients(run.discriminator, discriminator)

    # Equation 5 with the updated discriminator; its gradient does not reach the discriminator.
    x, sigma, noise = run._examples(of_score)
    noised, score, h = denoised(x, sigma, noise)
    gan = ((run.discriminator(h) - 1) ** 2).mean()
    error = column(sigma) * score + (noised - x) / column(sigma)
    dsm = error.square().sum((1, 2, 3)).mean() / 2
    parameters = list(network.parameters())
    of_gan = torch.autograd.grad(gan, parameters, retain_graph=True, allow_unused=True)
    (gan + 0.01 * dsm).backward()
    assert step.losses["gan"] == pytest.approx(gan.item(), rel=1e-5)
    assert step.losses["dsm"] == pytest.approx(dsm.item(), rel=1e-5)
    assert_same_gradients(run.network, network)
    assert total_norm(of_gan) > 0.01 * total_norm([p.grad for p in parameters])  # not negligible
    outside = (h <= 0) | (h >= 1)
    assert 0.05 < outside.float().mean() < 0.95


def total_norm(gradients):
    return torch.stack([g.norm() for g in gradients if g is not None]).norm()


def assert_same_gradients(found, expected, share=1e-4):
    expected = [p.grad for p in expected.parameters()]
    for g, e in zip([p.grad for p in found.parameters()], expected, strict=True):
        assert (g - e).norm() < share * total_norm(expected)


@pytest.mark.parametrize("n_d", [1, 2, 3])
def test_the_discriminator_has_n_d_updates_per_update_of_the_score(n_d):
    run = training(SMALL.replace(n_d=n_d))
    list(run.steps(4))
    made = [
        {state["step"].item() for state in optimizer.state.values()}
        for optimizer in (run.optimizer, run.discriminator_optimizer)
    ]
    assert made == [{4}, {4 * n_d}]


def test_each_player_has_its_own_optimizer():
    run = training(optimizer=SCORE_ADAM)
    (score,) = run.optimizer.param_groups
    (discriminator,) = run.discriminator_optimizer.param_groups
    assert (score["lr"], score["betas"]) == (1e-4, (0.0, 0.9))
    assert (discriminator["lr"], discriminator["betas"]) == (1e-4, (-0.5, 0.9))
    assert {id(p) for p in score["params"]} == {id(p) for p in run.network.parameters()}
    owned = {id(p) for p in discriminator["params"]}
    assert owned == {id(p) for p in run.discriminator.parameters()}


def test_as_lambda_grows_it_becomes_denoising_score_matching():
    adversarial = training(SMALL.replace(lambda_=1e9))
    plain = training(cls=DsmTraining)
    losses = [[step.losses for step in run.steps(8)] for run in (adversarial, plain)]
    assert losses[0][-1]["dsm"] == pytest.approx(losses[1][-1]["dsm"], rel=1e-5)
    start = training(cls=DsmTraining)
    for a, b, s in zip(*(r.network.parameters() for r in (adversarial, plain, start)), strict=True):
        assert (a - b).norm() <= 1e-2 * (b - s).norm() + 1e-6


RESUMED = Adversarial(
    discriminator=BigGanDiscriminator(width=1), gan_loss=GanLoss(relativistic="average")
)


@pytest.mark.parametrize("objective", [SMALL, RESUMED])
def test_contract(objective):
    check_training(lambda seed: training(objective, seed=seed, batch_size=20))


@pytest.mark.parametrize("objective", [SMALL, RESUMED])
def test_three_updates_and_three_more_are_bitwise_six(objective):
    # 400 images per batch of 1,198: each network crosses its epochs.
    whole = training(objective, batch_size=400)
    list(whole.steps(6))
    first = training(objective, batch_size=400)
    list(first.steps(3))
    second = training(
        objective, network=ResidualMlp(width=16, depth=1).build((1, 8, 8)), batch_size=400
    )
    second.restore(first.state())
    list(second.steps(6))
    a, b = whole.state(), second.state()
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)
    families = {name.split(".")[0] for name in a}
    assert families == {
        "iteration", "network", "optimizer", "ema", "discriminator", "discriminator_optimizer"
    }  # fmt: skip
    assert any(name.startswith("discriminator.") and name.endswith("._u") for name in a)


def test_a_state_is_a_copy_and_goes_with_safetensors():
    run = training()
    list(run.steps(1))
    state = run.state()
    kept = {name: value.clone() for name, value in state.items()}
    list(run.steps(2))
    assert all(torch.equal(kept[name], value) for name, value in state.items())
    changed = {n.split(".")[0] for n, v in run.state().items() if not torch.equal(kept[n], v)}
    assert changed == {n.split(".")[0] for n in kept}


def test_the_seed_decides_and_the_global_stream_does_not():
    ends = []
    for seed, stray in ((0, 1), (0, 2), (1, 1)):
        run = training(seed=seed)
        torch.manual_seed(stray)
        list(run.steps(2))
        ends.append(torch.cat([p.flatten() for p in run.discriminator.parameters()]).detach())
    assert torch.equal(ends[0], ends[1])
    assert not torch.equal(ends[0], ends[2])
    starts = [training(seed=s).discriminator.last.bias.item() for s in (0, 0, 1)]
    assert starts[0] == starts[1] != starts[2]


@pytest.mark.parametrize("relativistic", RELATIVISTIC)
def test_a_split_batch_gives_the_same_update(relativistic):
    objective = SMALL.replace(lambda_=0.01, gan_loss=GanLoss(relativistic=relativistic))
    runs = []
    for most_images in (None, 32):
        run, _, _ = untrained(objective, most_images=most_images)
        runs.append((run, *run.steps(1)))
    (whole, whole_step), (parts, parts_step) = runs
    assert parts_step.losses == pytest.approx(whole_step.losses, rel=1e-5)
    assert_same_gradients(parts.network, whole.network)
    assert_same_gradients(parts.discriminator, whole.discriminator)


@pytest.mark.parametrize(
    ("most_images", "expected"),
    [
        # One pass to denoise, the discriminator on both kinds; one to denoise again, one on the
        # result.
        (None, [100, 200, 100, 100]),
        # In parts; the passes with a gradient are repeated when the gradient is due.
        (64, [64, 36, *[64, 64, 64, 8] * 2, *[64, 36] * 4]),
    ],
)
def test_no_pass_sees_more_images_than_allowed(most_images, expected):
    run = training(most_images=most_images)
    sizes = []
    for module in (run.network, run.discriminator):
        module.register_forward_pre_hook(lambda _m, inputs: sizes.append(len(inputs[0])))
    list(run.steps(1))
    assert sorted(sizes) == sorted(expected)


def test_training_on_digits_stays_finite_and_lowers_the_dsm_loss():
    adam = DISCRIMINATOR_ADAM.replace(learning_rate=1e-3)
    objective = SMALL.replace(discriminator_optimizer=adam)
    torch.manual_seed(1)
    network = ResidualMlp(width=64, depth=2).build((1, 8, 8))
    score_adam = SCORE_ADAM.replace(learning_rate=3e-3)
    run = training(objective, network=network, optimizer=score_adam, batch_size=32, flips=False)
    losses = [step.losses for step in run.steps(250) if step.losses]
    assert len(losses) == 5
    assert all(set(found) == {"dsm", "gan", "discriminator"} for found in losses)
    assert losses[-1]["dsm"] < 0.85 * losses[0]["dsm"] < 0.85 * 15
    assert losses[-1]["discriminator"] < 2 < losses[0]["discriminator"]  # 2: all answers are 0


@pytest.mark.parametrize("most_images", [None, 8])
def test_both_networks_run_in_bfloat16(most_images):
    torch.manual_seed(0)
    network = Ncsnv2(ngf=4).build((1, 8, 8))
    run = training(network=network, batch_size=16, precision="bf16", most_images=most_images)
    exact = training(network=copy.deepcopy(network), batch_size=16)
    dtypes = set()
    run.discriminator.blocks[1].conv1.register_forward_hook(
        lambda _m, _i, out: dtypes.add(out.dtype)
    )
    (coarse,), (fine,) = run.steps(1), exact.steps(1)
    assert dtypes == {torch.bfloat16}
    assert coarse.losses == pytest.approx(fine.losses, rel=0.05)


def test_a_loss_that_is_not_finite_ends_the_run_with_its_name():
    adam = DISCRIMINATOR_ADAM.replace(learning_rate=1e30)
    run = training(SMALL.replace(discriminator_optimizer=adam))
    with pytest.raises(
        NonFiniteError, match=r"(dsm|gan|discriminator) loss is \w+ at iteration 50"
    ):
        list(run.steps(60))


def test_the_defaults_are_the_papers_for_cifar():
    default = Adversarial()
    assert (default.lambda_, default.n_d, default.clamp_fakes) == (1.0, 2, True)
    assert default.gan_loss == GanLoss(kind="lsgan", relativistic="none", saturating=False)
    assert default.discriminator == BigGanDiscriminator(width=64)
    assert default.discriminator_optimizer == DISCRIMINATOR_ADAM
    assert AdamSpec(learning_rate=1e-4, beta1=-0.5, beta2=0.9) == DISCRIMINATOR_ADAM
    assert AdamSpec(learning_rate=1e-4, beta1=0.0, beta2=0.9) == SCORE_ADAM


def test_the_spec_travels_as_json_and_every_field_is_in_its_key():
    changes = (
        {"lambda_": 2.0},
        {"n_d": 1},
        {"gan_loss": GanLoss(kind="hinge")},
        {"gan_loss": GanLoss(relativistic="paired")},
        {"gan_loss": GanLoss(saturating=True)},
        {"clamp_fakes": False},
        {"discriminator": BigGanDiscriminator(width=32)},
        {"discriminator_optimizer": SCORE_ADAM},
    )
    specs = [Adversarial(), *(Adversarial(**change) for change in changes)]
    assert len({spec.key for spec in specs}) == len(specs)
    assert all(from_json(spec.to_json()) == spec for spec in specs)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Adversarial(lambda_=0.0), r"lambda_ must be > 0 .*, but got 0\.0"),
        (lambda: Adversarial(n_d=0), "n_d must be at least 1, but got 0"),
        (lambda: GanLoss(kind="wgan"), "GanLoss.kind must be one of 'lsgan', 'gan', 'hinge'"),
    ],
)
def test_errors_say_what_must_hold(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_the_cost_of_an_update_is_that_of_its_passes():
    shape, network = (1, 8, 8), 1000
    d = multiply_adds(BigGanDiscriminator(width=1).build(shape), shape)
    assert Dsm().update_multiply_adds(network, shape) == 3 * network
    # Per update of the discriminator: one pass to denoise and three passes on two images. For the
    # score network: three passes, and one forward and one backward pass through the discriminator.
    expected = {
        ("none", 1): 4 * network + 8 * d,
        ("none", 2): 5 * network + 14 * d,
        ("average", 1): 4 * network + 9 * d,
    }
    for (relativistic, n_d), cost in expected.items():
        objective = SMALL.replace(n_d=n_d, gan_loss=GanLoss(relativistic=relativistic))
        assert objective.update_multiply_adds(network, shape) == cost
