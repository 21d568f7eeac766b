"""Finds the fields that a wrong name may mean: by the field's words, and by spelling.

Each field of research has several words for one thing: ``lr`` is the learning rate, and a diffusion
model's ``sigma_max`` is sigma_1 here. A name that is such a word, or a word of a field's name, is
answered by the fields of that meaning, wherever they are; any other name by the nearest spelling.
"""

import difflib
from collections.abc import Iterable, Sequence

MOST_SUGGESTED = 3

MEANINGS: dict[str, tuple[str, ...]] = {
    "augmentation": ("flips",),
    "batchsize": ("batch_size", "batch_images"),
    "betas": ("beta1", "beta2"),
    "bs": ("batch_size",),
    "channels": ("width", "ngf", "channels"),
    "checkpoint": ("iteration", "snapshot_every"),
    "ckpt": ("iteration", "snapshot_every"),
    "dataset": ("data", "root"),
    "decay": ("ema", "weight_decay"),
    "ema_decay": ("ema",),
    "ema_rate": ("ema",),
    "epochs": ("iterations",),
    "eps": ("epsilon", "eta", "eps"),
    "fid_samples": ("n_images",),
    "gpu": ("gpu_shares",),
    "hidden": ("width", "ngf"),
    "horizontal_flip": ("flips",),
    "learningrate": ("learning_rate",),
    "levels": ("n_levels", "sigmas"),
    "loss": ("objective", "loss"),
    "lr": ("learning_rate",),
    "max_iters": ("iterations",),
    "max_steps": ("iterations",),
    "model": ("network", "model"),
    "momentum": ("beta1",),
    "net": ("network",),
    "nfe": ("n_steps", "n_sigma"),
    "noise": ("sigma", "schedule", "sigma_1"),
    "num_levels": ("n_levels",),
    "num_samples": ("n_images",),
    "num_steps": ("n_sigma", "n_steps", "iterations"),
    "num_trials": ("n_trials",),
    "optimiser": ("optimizer",),
    "path": ("root",),
    "random_seed": ("seed", "seeds"),
    "rate": ("learning_rate",),
    "repeats": ("seeds",),
    "samples": ("n_images", "n_samples"),
    "sigma_begin": ("sigma_1",),
    "sigma_end": ("sigma_L",),
    "sigma_max": ("sigma_1",),
    "sigma_min": ("sigma_L",),
    "sigmas": ("schedule", "sigma_1"),
    "step_size": ("epsilon", "step_size", "eta"),
    "steps": ("n_sigma", "n_steps", "iterations"),
    "timeout": ("timeouts",),
    "train_steps": ("iterations",),
    "trials": ("n_trials",),
    "wd": ("weight_decay",),
}
"""The fields of this project that a word of the field of research may mean, the likeliest first."""


def suggestions(path: str, known: Sequence[str]) -> list[str]:
    """Returns the paths that a wrong path may mean, the likeliest first; at most three.

    Args:
        path: the wrong path, such as ``train.lr``.
        known: all right paths, such as ``train.optimizer.learning_rate``.
    """
    name = path.rpartition(".")[2].lower().replace("-", "_")
    for meant in ((name,), MEANINGS.get(name, ())):
        for matches in (_is_called, _has_the_words_of):
            if found := _nearest_place(path, [p for p in known if matches(p, meant)], meant):
                return found
    return difflib.get_close_matches(path, known, n=1, cutoff=0.3)


def hint(found: Iterable[str]) -> str:
    """Returns suggestions as the end of a message, such as "; the nearest is 'seed'"."""
    names = [repr(name) for name in found]
    if len(names) < 2:
        return f"; the nearest is {names[0]}" if names else ""
    return f"; the nearest are {', '.join(names[:-1])} and {names[-1]}"


def _is_called(path: str, names: tuple[str, ...]) -> bool:
    return path.rpartition(".")[2] in names


def _has_the_words_of(path: str, names: tuple[str, ...]) -> bool:
    words = set(path.rpartition(".")[2].split("_"))
    return any(set(name.split("_")) <= words for name in names)


def _nearest_place(path: str, found: list[str], meant: tuple[str, ...]) -> list[str]:
    """Returns the paths that share most with the given path, and of these the likeliest."""
    folders = path.split(".")[:-1]

    def order(one: str) -> tuple[int, int]:
        parts = one.split(".")
        shared = sum(a == b for a, b in zip(folders, parts, strict=False))
        likely = next((i for i, name in enumerate(meant) if name == parts[-1]), len(meant))
        return -shared, likely

    return sorted(found, key=order)[:MOST_SUGGESTED]
