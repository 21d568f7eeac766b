"""Tests of suggestions for wrong names of fields: by meaning, by place and by spelling."""

import pytest

from scorelib.field_names import MEANINGS, hint, suggestions

KNOWN = [
    "train", "train.data", "train.data.size", "train.network", "train.network.width",
    "train.schedule", "train.schedule.sigma_1", "train.schedule.sigma_L", "train.schedule.n_levels",
    "train.objective", "train.optimizer", "train.optimizer.learning_rate", "train.optimizer.beta1",
    "train.optimizer.adam_eps", "train.ema", "train.batch_size", "train.seed", "train.flips",
    "other.optimizer.learning_rate", "iterations", "sampler.epsilon", "search.als_epsilon",
    "n_sigma", "n_images", "seeds", "execution.batch_images", "execution.timeouts.train",
]  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ("lr", ["train.optimizer.learning_rate", "other.optimizer.learning_rate"]),
        ("train.lr", ["train.optimizer.learning_rate", "other.optimizer.learning_rate"]),
        ("other.lr", ["other.optimizer.learning_rate", "train.optimizer.learning_rate"]),
        ("learning_rate", ["train.optimizer.learning_rate", "other.optimizer.learning_rate"]),
        ("eps", ["sampler.epsilon", "search.als_epsilon", "train.optimizer.adam_eps"]),
        ("search.eps", ["search.als_epsilon", "sampler.epsilon", "train.optimizer.adam_eps"]),
        ("optimizer.epsilon", ["sampler.epsilon"]),
        ("batch", ["train.batch_size", "execution.batch_images"]),
        ("batch-size", ["train.batch_size"]),
        ("steps", ["n_sigma", "iterations"]),
        ("width", ["train.network.width"]),
        ("beta", ["train.optimizer.beta1"]),
        (
            "gamma",
            ["train.schedule.n_levels", "train.schedule.sigma_1", "train.schedule.sigma_L"],
        ),
        ("sigma_max", ["train.schedule.sigma_1"]),
        ("dataset", ["train.data"]),
        ("train.sede", ["train.seed"]),
        ("execution.batch_imges", ["execution.batch_images"]),
        ("zzz", []),
    ],
)
def test_a_wrong_name_finds_the_fields_it_may_mean(wrong, found):
    assert suggestions(wrong, KNOWN) == found


def test_every_meaning_is_written_as_it_is_compared():
    assert all(word == word.lower() and "-" not in word for word in MEANINGS)
    assert list(MEANINGS) == sorted(MEANINGS)


def test_hints():
    assert hint([]) == ""
    assert hint(["a.b"]) == "; the nearest is 'a.b'"
    assert hint(["a", "b", "c"]) == "; the nearest are 'a', 'b' and 'c'"
