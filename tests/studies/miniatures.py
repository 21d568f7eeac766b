"""Every study in miniature: settings with which a study takes seconds."""

from scorelib.spec_paths import replace_paths
from studies.registry import STUDIES, find_study

TABLE = {
    "iterations": "4", "iteration": "4", "snapshot_every": "2", "selection.n_trials": "1",
    "selection.n_images": "10", "search.n_trials": "2", "search.n_images": "10",
    "search.top_images": "20", "search.keep": "1", "chunk_images": "10", "n_images": "20",
    "seeds": "1", "n_sigma": "[1]", "train.schedule.n_levels": "5", "train.batch_size": "8",
    "extractor.classifier.iterations": "5", "extractor.classifier.width": "2",
    "extractor.classifier.n_features": "4", "adversarial.discriminator.width": "1",
}  # fmt: skip
CHOICE = {
    "iterations": "[2, 4]", "images": "[10, 20]", "keep": "[3, 1]", "n_images": "20", "seeds": "1",
    "chunk_images": "10", "train.schedule.n_levels": "5", "train.batch_size": "8",
    "extractor.classifier.iterations": "5", "extractor.classifier.width": "2",
    "extractor.classifier.n_features": "4", "train.network.width": "16",
}  # fmt: skip
SCHEDULES = {
    "iterations": "4", "snapshot_every": "2", "search_images": "10", "n_images": "20",
    "chunk_images": "10", "seeds": "1", "n_sigma": "2", "few.n_levels": "4",
    "many.n_levels": "5", "frames": "3",
    "train.batch_size": "8", "extractor.classifier.iterations": "5",
    "extractor.classifier.width": "2", "extractor.classifier.n_features": "4",
}  # fmt: skip
MLP = {"train.network.width": "16", "train.network.depth": "1"}
CLASSES = MLP | {
    "iteration": "4", "train.schedule.n_levels": "5", "train.batch_size": "8",
    "classifier.width": "2", "classifier_batch_size": "8", "classifier_iterations": "3",
    "sampler.n_steps": "3", "chunk_images": "20", "n_images": "40", "n_real": "40",
    "extractor.classifier.iterations": "5", "extractor.classifier.width": "2",
    "extractor.classifier.n_features": "4", "accuracy.iterations": "3", "accuracy.batch_size": "8",
    "k": "2",
}  # fmt: skip
MINIATURES = {
    "cifar_sampling_eps": TABLE | MLP,
    "church_sampling_eps": TABLE | MLP,
    "ffhq_sampling_eps": TABLE | MLP,
    "cifar_unet_sampling_eps": TABLE | {"train.network.width": "2"},
    "stacked_mnist_modes": MLP | {
        "iteration": "4", "n_trials": "2", "search_images": "20", "n_images": "30",
        "chunk_images": "10", "train.schedule.n_levels": "5", "train.batch_size": "8",
        "train.data.n": "200", "classifier.iterations": "5", "classifier.width": "2",
        "classifier.n_features": "4", "adversarial.discriminator.width": "1",
    },
    "noise_consistency": {},
    "likelihood_renormalisation": {},
    "synthetic_2d": {"iterations": "20", "n_points": "50", "seeds": "2", "network.width": "16"},
    "inception_score": TABLE | MLP,
    "uncurated_samples": {
        f"{table}.{path}": value
        for table in ("cifar", "church", "unet")
        for path, value in (TABLE | {"columns": '["non-adversarial"]'}).items()
    } | {"unet.train.network.width": "2"},
    "cifar10_dlsm": CLASSES,
    "cifar100_dlsm": CLASSES,
    "dlsm_lambda": CLASSES | {"lambdas": "[0.1, 1]"},
    "dlsm_scaling": CLASSES | {"alphas": "[1, 10]"},
    "dlsm_front": CLASSES | {"n_trials": "5", "round_size": "2", "search_images": "40"},
    "moons_score_mismatch": {
        "points.n": "100", "width": "2", "batch_size": "20", "iterations": "4", "curve_every": "2",
        "schedule.n_levels": "10", "n_points": "50", "chunk_points": "25", "sampler.n_steps": "3",
        "seeds": "1",
    },
    "cifar_checkpoint_ema": CHOICE | {
        "iterations": "[4]", "images": "[10]", "keep": "[3]", "train_iterations": "4",
        "snapshot_every": "2",
    },
    "cifar_adam_betas": CHOICE,
    "cifar_gan_loss": CHOICE,
    "cifar_lambda_nd": CHOICE,
    "cifar_adversarial_search": CHOICE,
    "mnist_schedules": SCHEDULES | MLP | {
        "families": '["geometric", "squared_cosine", "sigmoid"]',
    },
    "mnist_initial_noise": MLP | {
        "iterations": "4", "snapshot_every": "2", "n_images": "20", "chunk_images": "10",
        "n_sigma": "2", "few.n_levels": "4", "many.n_levels": "5", "train.batch_size": "8",
        "classifier.iterations": "5", "classifier.width": "2", "classifier.n_features": "4",
        "seeds": "2",
    },
    "cars_schedules": {k: v for k, v in SCHEDULES.items() if not k.startswith("few")}
    | {"train.network.ngf": "2"},
    "sampling_eps": MLP | {
        "images": '{"spec": "Photographs", "size": 8, "n": 40}', "extractor": "RandomConvFeatures",
        "train.iterations": "4", "train.batch_size": "8", "search.n_trials": "2",
        "search.n_images": "10", "search.top_images": "20", "search.keep": "1",
        "chunk_images": "10", "n_images": "20", "seeds": "1", "n_sigma": "[1]",
        "train.schedule": '{"spec": "geometric", "sigma_1": 8, "sigma_L": 1, "n_levels": 5}',
    },
    "score_images": {
        "extractor": "ClassifierOfImages", "extractor.iterations": "5", "extractor.width": "2",
        "extractor.n_features": "4",
    },
    "sweep": {k: v for k, v in CHOICE.items() if not k.startswith("extractor")} | MLP | {
        "extractor": "ClassifierOfImages", "extractor.iterations": "5", "extractor.width": "2",
        "vary": '["train.optimizer.learning_rate = 1e-3..1e-2 log", "ema = [0.9, 0.99]",'
                ' "train.network.width = [8, 16]"]',
        "trials": "7", "keep": "[2]", "images": "[10, 20]",
    },
    "consistent_schedules": MLP | {
        "iterations": "4", "levels.n_levels": "5", "train.batch_size": "8", "chunk_images": "10",
        "search.n_trials": "2", "search.n_images": "10", "search.top_images": "20",
        "search.keep": "1", "n_images": "20", "seeds": "1", "families": '["geometric", "linear"]',
        "extractor.classifier.iterations": "5", "extractor.classifier.width": "2",
        "extractor.classifier.n_features": "4",
    },
    "cifar_schedules": SCHEDULES | MLP | {"families": '["geometric", "sigmoid"]'},
}  # fmt: skip
"""Changes of the demo settings of each study; a new study needs an entry."""


def miniature(name):
    """Returns a tiny version of a study."""
    assert name in MINIATURES, f"{name} needs a miniature here: settings that take seconds"
    module = find_study(name)
    return module.study("demo", replace_paths(module.settings("demo"), MINIATURES[name]))


def studies_of(paper):
    """Returns the names of a paper's studies; the paper is given as its folder in `studies`."""
    return [name for name, entry in STUDIES.items() if entry.module.split(".")[1] == paper]
