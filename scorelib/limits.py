"""The largest value of every whole number of a spec, by the name of the field, and of products.

A number above its limit is a typing error: a plan with that many jobs, or a list with that many
levels, would take hours and all memory. Counts that are each admissible may have a product that is
not: the seeds, trials and images of a study. The limits are far above all published settings; the
largest study of the papers has 12,228 jobs.
"""

from typing import Any

LARGEST = 1_000_000_000
"""Largest whole number of a field that `_BY_NAME` does not list."""

LARGEST_SEED = 2**63 - 1
"""Largest seed, and largest whole number of a class of another distribution."""

MOST_JOBS = 50_000
"""Most jobs of a study."""

MOST_LISTED = 1_000
"""Most values of a list in the settings of a study, such as `n_sigma`."""

MOST_CHUNKS = 10_000
"""Most chunks of images that a score reads."""

MOST_SNAPSHOTS = 10_000
"""Most snapshots of a training, and points of a curve."""

MOST_EVALUATIONS = 10**13
"""Most network evaluations of the jobs of a study: centuries on a GPU."""

_BY_NAME = {
    100: ("multipliers", "n_blocks", "n_d", "digits", "frames", "n_frames", "training_seeds",
          "nearest", "n_nearest"),
    1_000: ("depth", "n_splits", "round_size", "seeds", "k", "n_trials", "trials"),
    2_000: ("width", "ngf"),
    10_000: ("n_sigma", "keep", "points", "height", "size"),
    100_000: ("n_levels", "cas_levels", "n_steps", "n_classes", "n_features", "batch_size"),
    1_000_000: ("n", "n_images", "n_real", "images", "search_images", "top_images", "n_points",
                "chunk_images", "chunk_points", "batch_images"),
    10_000_000: ("most_images", "n_test", "n_train"),
    LARGEST_SEED: ("seed", "split_seed"),
}  # fmt: skip
_LARGEST = {name: most for most, names in _BY_NAME.items() for name in names}
_MOST_CHARACTERS = 80


def largest(name: str) -> int:
    """Returns the largest value of a whole number.

    Args:
        name: name of the field of a class of this distribution.
    """
    return _LARGEST.get(name, LARGEST)


def shown(value: Any) -> str:
    """Returns a value as messages show it: at most 80 characters of its representation."""
    if isinstance(value, int) and value.bit_length() > 1000:
        return f"a whole number of about {value.bit_length() * 0.30103:,.0f} digits"
    try:
        text = repr(value)
    except RecursionError:
        return "deeply nested lists"
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}..."
