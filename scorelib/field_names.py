"""Suggests fields for a name that does not exist: by synonyms, else by the nearest spelling.

Researchers use several words for one thing: ``lr`` is the learning rate, and ``sigma_max`` of a
diffusion model is sigma_1 here. For such a word, and for a word that is part of a field's name, the
suggestions are the fields with that meaning, at any path. For any other name, the suggestions are
the fields with the nearest spelling.
"""

import difflib
from collections.abc import Iterable, Sequence

MOST_SUGGESTED = 3

MEANINGS: dict[str, tuple[str, ...]] = {
    "amp": ("precision",),
    "augmentation": ("flips",),
    "autocast": ("precision",),
    "batchsize": ("batch_size", "batch_images"),
    "beta": ("beta1", "beta2"),
    "betas": ("beta1", "beta2"),
    "bf16": ("precision",),
    "bs": ("batch_size",),
    "channels": ("width", "ngf", "channels"),
    "checkpoint": ("iteration", "snapshot_every"),
    "ckpt": ("iteration", "snapshot_every"),
    "dataset": ("data", "root"),
    "decay": ("ema", "beta1", "beta2"),
    "dtype": ("precision",),
    "ema_decay": ("ema",),
    "ema_rate": ("ema",),
    "epochs": ("iterations",),
    "eps": ("epsilon", "adam_eps"),
    "fid_samples": ("n_images",),
    "gamma": ("n_levels", "sigma_1", "sigma_L"),
    "gpu": ("gpu_shares",),
    "hidden": ("width", "ngf"),
    "horizontal_flip": ("flips",),
    "learningrate": ("learning_rate",),
    "levels": ("n_levels", "sigmas"),
    "loss": ("objective", "gan_loss"),
    "lr": ("learning_rate",),
    "max_iters": ("iterations",),
    "max_steps": ("iterations",),
    "model": ("network",),
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
    "samples": ("n_images", "n_points"),
    "sigma_begin": ("sigma_1",),
    "sigma_end": ("sigma_L",),
    "sigma_max": ("sigma_1",),
    "sigma_min": ("sigma_L",),
    "sigmas": ("schedule", "sigma_1"),
    "step_size": ("epsilon", "eta", "langevin_step"),
    "steps": ("n_sigma", "n_steps", "iterations"),
    "timeout": ("timeouts",),
    "train_steps": ("iterations",),
    "trials": ("n_trials",),
}
"""The fields of this project that a word of the field of research may mean, the likeliest first."""


def suggestions(path: str, known: Sequence[str]) -> list[str]:
    """Returns the paths that a wrong path may mean, the likeliest first; at most three.

    Args:
        path: the wrong path, such as ``train.lr``.
        known: all right paths, such as ``train.optimizer.learning_rate``.
    """
    name = path.rpartition(".")[2].lower().replace("-", "_")
    by_name = [p for p in known if p.rpartition(".")[2] == name]
    for found, meant in (
        (by_name, (name,)),
        (_with_words(known, MEANINGS.get(name, ())), MEANINGS.get(name, ())),
        (_with_words(known, (name,)), (name,)),
    ):
        if found:
            return sorted(found, key=lambda p: _rank(p, path, meant))[:MOST_SUGGESTED]
    return difflib.get_close_matches(path, known, n=1, cutoff=0.3)


def hint(found: Iterable[str]) -> str:
    """Returns suggestions as the end of a message, such as "; the nearest is 'seed'"."""
    names = [repr(name) for name in found]
    if len(names) < 2:
        return f"; the nearest is {names[0]}" if names else ""
    return f"; the nearest are {', '.join(names[:-1])} and {names[-1]}"


def _with_words(known: Sequence[str], names: tuple[str, ...]) -> list[str]:
    """Returns the paths whose last part has all words of one of the names."""
    return [path for path in known if any(_words(name) <= _words(path) for name in names)]


def _words(path: str) -> set[str]:
    return set(path.rpartition(".")[2].split("_"))


def _rank(path: str, wrong: str, meant: tuple[str, ...]) -> tuple[int, int, bool]:
    """Returns the rank: by the place shared with the wrong path, then by likelihood."""
    parts, given = path.split("."), wrong.split(".")[:-1]
    shared = sum(a == b for a, b in zip(given, parts, strict=False))
    likely = next(i for i, name in enumerate(meant) if _words(name) <= _words(path))
    return -shared, likely, parts[-1] != meant[likely]
