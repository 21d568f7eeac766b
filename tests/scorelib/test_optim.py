"""Tests of Adam: every kernel against the recursion in float64, also for negative beta1."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from scorelib.errors import InputError
from scorelib.losses import DISCRIMINATOR_ADAM, SCORE_ADAM
from scorelib.optim import Adam, AdamSpec

KERNELS = {"loop": {"foreach": False}, "foreach": {"foreach": True}, "fused": {"fused": True}}
N_STEPS = 30


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def gradients():
    rng = np.random.default_rng(0)
    scale = np.exp(rng.normal(size=(1, 37)))
    return scale * rng.normal(size=(N_STEPS, 37))


def recursion(start, grads, lr, beta1, beta2, eps):
    return moments(start, grads, lr, beta1, beta2, eps)[0]


def moments(start, grads, lr, beta1, beta2, eps):
    p, m, v = start.copy(), np.zeros_like(start), np.zeros_like(start)
    for t, g in enumerate(grads, start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        p = p - lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
    return p, m, v


def run(optimiser, parameters, grads):
    for g in grads:
        for p, part in zip(parameters, np.split(g, [20]), strict=True):
            p.grad = torch.from_numpy(part).to(p.dtype)
        optimiser.step()


def fresh(dtype):
    start = np.random.default_rng(1).normal(size=37)
    parts = [torch.tensor(s, dtype=dtype, requires_grad=True) for s in np.split(start, [20])]
    return start, parts


@pytest.mark.parametrize("beta1", [0.9, 0.5, 0.0, -0.5, -0.9])
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    ("dtype", "rtol"), [(torch.float64, 1e-12), (torch.float32, 2e-5)], ids=["f64", "f32"]
)
def test_kernels_follow_the_recursion(beta1, kernel, dtype, rtol):
    start, parts = fresh(dtype)
    optimiser = Adam(parts, 0.01, (beta1, 0.9), 1e-3, **KERNELS[kernel])
    run(optimiser, parts, gradients())
    moved = torch.cat(parts).detach().double().numpy() - start
    expected = recursion(start, gradients(), 0.01, beta1, 0.9, 1e-3) - start
    np.testing.assert_allclose(moved, expected, rtol=0, atol=rtol * np.abs(expected).max())


@pytest.mark.parametrize(
    ("kernel", "runs"),
    [("loop", (False, False)), ("foreach", (True, False)), ("fused", (False, True))],
)
def test_with_negative_beta1_the_kernel_asked_for_is_the_one_that_runs(kernel, runs):
    _, parts = fresh(torch.float32)
    optimiser = Adam(parts, 0.01, (-0.5, 0.9), 1e-3, **KERNELS[kernel])
    with torch.profiler.profile() as profiled:
        run(optimiser, parts, gradients()[:2])
    ran = {event.name for event in profiled.events()}
    assert ("aten::_foreach_addcdiv_" in ran, "aten::_fused_adam_" in ran) == runs


@pytest.mark.parametrize("beta1", [0.0, -0.5])
@pytest.mark.parametrize("kernel", KERNELS)
def test_the_moments_kept_are_those_of_the_recursion(beta1, kernel):
    start, parts = fresh(torch.float64)
    optimiser = Adam(parts, 0.01, (beta1, 0.9), 1e-3, **KERNELS[kernel])
    run(optimiser, parts, gradients())
    _, m, v = moments(start, gradients(), 0.01, beta1, 0.9, 1e-3)
    for name, expected in (("exp_avg", m), ("exp_avg_sq", v)):
        found = torch.cat([optimiser.state[p][name] for p in parts]).numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("beta1", [0.9, 0.0, -0.5, -0.9])
@pytest.mark.parametrize("kernel", KERNELS)
def test_a_constant_gradient_moves_by_the_learning_rate_from_the_first_step_on(beta1, kernel):
    # m_t = (1 - beta1^t) g for any beta1: 1.5 g, 0.75 g, 1.125 g with -0.5, before correction.
    p = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimiser = Adam([p], 0.01, (beta1, 0.9), 1e-12, **KERNELS[kernel])
    for t in range(1, 6):
        p.grad = torch.tensor([3.0, -0.2], dtype=torch.float64)
        optimiser.step()
        expected = torch.tensor([-0.01 * t, 0.01 * t], dtype=torch.float64)
        torch.testing.assert_close(p.detach(), expected, rtol=1e-9, atol=0)
        torch.testing.assert_close(optimiser.state[p]["exp_avg"], (1 - beta1**t) * p.grad)


@pytest.mark.parametrize("spec", [SCORE_ADAM, DISCRIMINATOR_ADAM])
def test_the_published_adversarial_settings_follow_the_recursion(spec):
    start, parts = fresh(torch.float64)
    run(spec.build(parts), parts, gradients())
    moved = torch.cat(parts).detach().numpy() - start
    expected = recursion(start, gradients(), 1e-4, spec.beta1, 0.9, 1e-8) - start
    np.testing.assert_allclose(moved, expected, rtol=0, atol=1e-10 * np.abs(expected).max())


def test_non_negative_beta1_is_torch_adam_bit_for_bit():
    (_, own), (_, theirs) = fresh(torch.float32), fresh(torch.float32)
    run(Adam(own, 0.01, (0.9, 0.99), fused=True), own, gradients())
    run(torch.optim.Adam(theirs, 0.01, (0.9, 0.99), fused=True), theirs, gradients())
    assert all(torch.equal(a, b) for a, b in zip(own, theirs, strict=True))


def test_resume_by_state_dict_is_exact_with_negative_beta1():
    spec = AdamSpec(learning_rate=0.01, beta1=-0.5, beta2=0.9)
    grads = gradients()
    _, whole = fresh(torch.float32)
    run(spec.build(whole), whole, grads)
    _, halves = fresh(torch.float32)
    first = spec.build(halves)
    run(first, halves, grads[:11])
    second = spec.build(halves)
    second.load_state_dict(first.state_dict())
    run(second, halves, grads[11:])
    assert all(torch.equal(a, b) for a, b in zip(whole, halves, strict=True))


def test_spec_reaches_the_optimiser():
    spec = AdamSpec(learning_rate=0.02, beta1=-0.3, beta2=0.7, adam_eps=1e-5)
    (group,) = spec.build([torch.zeros(2, requires_grad=True)]).param_groups
    assert (group["lr"], group["betas"], group["eps"]) == (0.02, (-0.3, 0.7), 1e-5)
    assert group["fused"] and group["weight_decay"] == 0
    default = AdamSpec()
    values = (default.learning_rate, default.beta1, default.beta2, default.adam_eps)
    assert values == (1e-4, 0.9, 0.999, 1e-8)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("learning_rate", 0.0),
        ("beta1", 1.0),
        ("beta1", -1.0),
        ("beta2", 1.0),
        ("beta2", -0.1),
        ("adam_eps", 0.0),
    ],
)
def test_out_of_range(field, value):
    with pytest.raises(InputError, match=rf"AdamSpec.{field} must be .*; got {value}"):
        AdamSpec(**{field: value})


@pytest.mark.parametrize("beta1", [-1.0, 1.0, 1.5, float("nan")])
def test_adam_itself_refuses_beta1_outside(beta1):
    with pytest.raises(InputError, match="-1 < beta1 < 1 must hold"):
        Adam([torch.zeros(2, requires_grad=True)], betas=(beta1, 0.9))


def test_warm_up_and_clipping_are_the_recursions_with_those_rates_and_gradients():
    spec = AdamSpec(learning_rate=0.1, warmup=5, clip=2.0)
    start, parts = fresh(torch.float64)
    optimizer, grads = spec.build(parts), gradients()
    for iteration, g in enumerate(grads):
        for p, part in zip(parts, np.split(g, [20]), strict=True):
            p.grad = torch.from_numpy(part.copy())
        spec.step(optimizer, iteration)
        if iteration == 0:
            unmoved = np.concatenate([p.detach().numpy() for p in parts])
            np.testing.assert_array_equal(unmoved, start)
    p, m, v = start.copy(), np.zeros(37), np.zeros(37)
    for t, g in enumerate(grads, start=1):
        g = g * min(1.0, 2.0 / np.linalg.norm(g))
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        rate = 0.1 * min(1.0, (t - 1) / 5)
        p = p - rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    found = np.concatenate([part.detach().numpy() for part in parts])
    np.testing.assert_allclose(found, p, rtol=1e-6)
    assert (np.linalg.norm(grads, axis=1) > 2).any(), "nothing was clipped"


@pytest.mark.parametrize(("field", "value"), [("warmup", -1), ("clip", 0.0)])
def test_warm_ups_and_norms_out_of_range(field, value):
    with pytest.raises(InputError, match=field):
        AdamSpec(**{field: value})


def test_a_training_on_embedded_images_starts_without_heavy_imports():
    code = (
        "import sys, torch; from scorelib.data import Digits, Photographs; "
        "from scorelib.optim import AdamSpec; Photographs(n=4).load('train'); "
        "images, _ = Digits().load('train'); layer = torch.nn.Linear(64, 1); "
        "optimizer = AdamSpec().build(layer.parameters()); optimizer.zero_grad(); "
        "layer(images.flatten(1)).sum().backward(); AdamSpec().step(optimizer, 1); "
        "optimizer.load_state_dict(optimizer.state_dict()); "
        "from scorelib.metrics.classifier import ClassifierSpec, train_classifier; "
        "images, labels = Digits().load('train'); "
        "spec = ClassifierSpec(data=Digits(), iterations=1); "
        "[*train_classifier(spec, spec.build(), images / 255, labels)]; "
        "print({'torch._dynamo', 'sklearn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
