"""The registry of all studies by name, and the interface of a study module (`StudyModule`)."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, cast

from scorelib.errors import InputError
from tuning.study import Study

_ROOMS = {
    "studies.adversarial.step_sizes": {
        "cifar_sampling_eps": "Table 1: the sampling step size on CIFAR-10",
        "church_sampling_eps": "Table 2: the sampling step size on LSUN-churches",
        "cifar_unet_sampling_eps": "Table 3: the sampling step size with the U-Net of Ho et al.",
        "ffhq_sampling_eps": "Appendix C: the sampling step size on FFHQ",
        "inception_score": "Appendix I: the Inception score and the distance",
        "uncurated_samples": "Figures 4-27: images of every cell of Tables 1 to 3",
    },
    "studies.adversarial": {
        "stacked_mnist_modes": "Table 4: modes and KL of stacked digits",
        "noise_consistency": "Figure 1: the noise level during sampling, exact",
        "synthetic_2d": "Figure 2: denoising in the plane",
    },
    "studies.adversarial.choices": {
        "cifar_checkpoint_ema": "Appendix B: snapshot and EMA decay",
        "cifar_adam_betas": "Appendix B: Adam's betas of both networks",
        "cifar_gan_loss": "Appendix B: the GAN loss",
        "cifar_lambda_nd": "Appendix B: lambda and discriminator steps",
        "cifar_adversarial_search": "Appendix B: all choices in one search",
    },
    "studies.dlsm": {
        "likelihood_renormalisation": "DLSM, Figure A1: powers of a likelihood, exact",
        "moons_score_mismatch": "DLSM, Tables 1 and A3, Figures 1 and 5: score mismatch, exact",
        "cifar10_dlsm": "DLSM, Table 2, Figures 4 and A3-A6: CIFAR-10 class by class",
        "cifar100_dlsm": "DLSM, Table 2: CIFAR-100 class by class",
        "dlsm_lambda": "DLSM, Table A4: the weight of the cross entropy",
        "dlsm_scaling": "DLSM, Table A5: the scaling factor alpha",
        "dlsm_front": "DLSM, Tables A4 and A5: lambda and alpha in one two-objective search",
    },
    "studies.schedules": {
        "mnist_schedules": "Noise schedules, Figures 1, 2, 5, 9: families on MNIST",
        "mnist_initial_noise": "Noise schedules, Figures 11-14: sigma_1 and shares of the digits",
        "cifar_schedules": "Noise schedules, Figures 1, 3, 6, 10: families on CIFAR-10",
        "cars_schedules": "Noise schedules, Figures 8, 15, 16: two families on Stanford Cars",
    },
}


@dataclass(frozen=True)
class Entry:
    """The registry entry of a study.

    Attributes:
        module: dotted path of the study's module.
        title: table or figure of the paper and its subject, in a few words.
    """

    module: str
    title: str


STUDIES = {
    name: Entry(f"{room}.{name}", title)
    for room, titles in _ROOMS.items()
    for name, title in titles.items()
}


class StudyModule(Protocol):
    """Interface of a study module: settings at both scales, and the study itself."""

    def demo(self) -> Any:
        """Returns settings with which the study takes minutes on a CPU."""

    def paper(self) -> Any:
        """Returns the paper's settings."""

    def study(self, scale: str, at: Any) -> Study:
        """Returns the study for a scale and the given settings."""


@dataclass(frozen=True)
class StudyDefinition:
    """The functions that a study module offers.

    Attributes:
        scales: functions that return the study's settings, by scale ("demo" or "paper").
        study: function that returns the study for a scale and settings.
    """

    scales: Mapping[str, Callable[[], Any]]
    study: Callable[[str, Any], Study]

    def settings(self, scale: str) -> Any:
        """Returns the study's default settings at a scale.

        Args:
            scale: "demo" or "paper".

        Raises:
            InputError: the scale is unknown.
        """
        if scale not in self.scales:
            known = ", ".join(self.scales)
            raise InputError(f"the scale must be one of {known}, but got {scale!r}", "scale")
        return self.scales[scale]()


def find_study(name: str) -> StudyDefinition:
    """Imports the module of a study and returns its definition.

    Args:
        name: name of the study, a key of `STUDIES`.

    Raises:
        InputError: no study has this name; the message suggests the nearest name.
    """
    if name not in STUDIES:
        near = difflib.get_close_matches(name, STUDIES, n=1, cutoff=0.3)
        hint = f"; the nearest is {near[0]!r}" if near else ""
        raise InputError(f"NAME must be one of {', '.join(STUDIES)}, but got {name!r}{hint}")
    module = cast(StudyModule, import_module(STUDIES[name].module))
    return StudyDefinition({"demo": module.demo, "paper": module.paper}, module.study)
