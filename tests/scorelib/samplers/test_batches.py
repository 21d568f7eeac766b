"""Tests of the evaluation in batches: one size, the images of one batch, and classes in step."""

import pytest
import torch

from scorelib.networks import Ncsnv2
from scorelib.samplers.batches import batched, parts_of_one_size


@pytest.mark.parametrize("n", [1, 7, 8, 9, 10])
@pytest.mark.parametrize("most", [None, 1, 3, 4, 8, 20])
def test_batches_have_one_size_and_the_images_of_one_batch(n, most):
    x = torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(n))
    network = Ncsnv2(ngf=4).build((1, 8, 8)).requires_grad_(False).eval()
    sizes = []
    network.register_forward_hook(lambda _module, inputs, _out: sizes.append(len(inputs[0])))
    found = batched([network], "float32", most)(x, 0.5)
    expected = network(x, torch.tensor(0.5))
    *sizes, _ = sizes
    assert len(set(sizes)) == 1 and sizes[0] <= (most or n)
    assert len(sizes) == -(-n // (most or n)) and n <= sum(sizes) < n + len(sizes)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_a_guided_batch_has_one_size_and_its_own_classes():
    labels = torch.arange(10)
    parts = parts_of_one_size(labels, 4)
    assert [part.tolist() for part in parts] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 9, 9]]
