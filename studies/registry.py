"""All studies by name. What the module of a study offers: `StudyModule`."""

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
        "church_sampling_eps": "Table 2: the same on LSUN-churches",
        "cifar_unet_sampling_eps": "Table 3: the same with the U-Net of Ho et al.",
        "ffhq_sampling_eps": "Appendix C: the same on FFHQ",
        "inception_score": "Appendix I: the Inception score beside the distance",
        "uncurated_samples": "Figures 4-27: images of every cell of Tables 1 to 3",
    },
    "studies.adversarial": {
        "stacked_mnist_modes": "Table 4: modes and KL of stacked digits",
        "noise_consistency": "Figure 1: the noise level through sampling, exact",
        "synthetic_2d": "Figure 2: denoising in the plane",
    },
    "studies.adversarial.choices": {
        "cifar_checkpoint_ema": "Appendix B: snapshot and EMA decay",
        "cifar_adam_betas": "Appendix B: Adam's betas of both networks",
        "cifar_gan_loss": "Appendix B: the GAN loss",
        "cifar_lambda_nd": "Appendix B: lambda and discriminator steps",
        "cifar_adversarial_search": "Appendix B: all of these in one search",
    },
    "studies.dlsm": {
        "likelihood_renormalisation": "DLSM, Figure A1: likelihoods to a power, exact",
        "moons_score_mismatch": "DLSM, Tables 1 and A3, Figures 1 and 5: score mismatch, exact",
        "cifar10_dlsm": "DLSM, Table 2, Figures 4 and A3-A6: CIFAR-10 class by class",
        "cifar100_dlsm": "DLSM, Table 2: the same on CIFAR-100",
        "dlsm_lambda": "DLSM, Table A4: the weight of the cross entropy",
        "dlsm_scaling": "DLSM, Table A5: the scaling factor alpha",
        "dlsm_front": "DLSM, Tables A4 and A5: lambda and alpha searched by two numbers at once",
    },
    "studies.schedules": {
        "mnist_schedules": "Noise schedules, Figures 1, 2, 5, 9: families on MNIST",
        "mnist_initial_noise": "Noise schedules, Figures 11-14: sigma_1 and shares of the digits",
        "cifar_schedules": "Noise schedules, Figures 1, 3, 6, 10: the same on CIFAR-10",
        "cars_schedules": "Noise schedules, Figures 8, 15, 16: two on Stanford Cars",
    },
}


@dataclass(frozen=True)
class Entry:
    """A study as the registry knows it.

    Attributes:
        module: dotted path of the study's module.
        title: what it is of, in a few words.
    """

    module: str
    title: str


STUDIES = {
    name: Entry(f"{room}.{name}", title)
    for room, titles in _ROOMS.items()
    for name, title in titles.items()
}


class StudyModule(Protocol):
    """What a study's module offers: its settings at either scale, and the study."""

    def demo(self) -> Any:
        """Settings with which the study takes minutes on a CPU."""

    def paper(self) -> Any:
        """The paper's settings."""

    def study(self, scale: str, at: Any) -> Study:
        """The study with given settings."""


@dataclass(frozen=True)
class StudyDefinition:
    """A study by what its module offers.

    Attributes:
        scales: what makes its settings, by scale.
        study: makes the study of a scale and settings.
    """

    scales: Mapping[str, Callable[[], Any]]
    study: Callable[[str, Any], Study]

    def settings(self, scale: str) -> Any:
        """The study's settings at a scale.

        Raises:
            InputError: an unknown scale.
        """
        if scale not in self.scales:
            known = ", ".join(self.scales)
            raise InputError(f"the scale must be one of {known}; got {scale!r}", "scale")
        return self.scales[scale]()


def find_study(name: str) -> StudyDefinition:
    """The study of a name, whose module is imported.

    Raises:
        InputError: no study has that name; the nearest is named.
    """
    if name not in STUDIES:
        near = difflib.get_close_matches(name, STUDIES, n=1, cutoff=0.3)
        hint = f"; the nearest is {near[0]!r}" if near else ""
        raise InputError(f"NAME must be one of {', '.join(STUDIES)}; got {name!r}{hint}")
    module = cast(StudyModule, import_module(STUDIES[name].module))
    return StudyDefinition({"demo": module.demo, "paper": module.paper}, module.study)
