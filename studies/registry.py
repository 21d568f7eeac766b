"""The registry of all studies by name, and the interface of a study module (`StudyModule`)."""

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, cast

from scorelib.errors import InputError
from scorelib.field_names import hint
from scorelib.unicode_forms import known_form
from studies.definitions import StudyDefinition, own_studies, own_study
from tuning.own_modules import import_own
from tuning.study import OWN_DIGEST, Study, full_name

_MODULES = "modules"
_OWN_NAME = re.compile(rf"\w+{OWN_DIGEST}")
"""The name of a user's study in a store: see `tuning.study.full_name`."""

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
    "studies.general": {
        "sampling_eps": "Your own images: the sampling step size, --set images=FOLDER",
        "score_images": "Pictures made elsewhere: their distance and more, --set pictures=FOLDER",
        "sweep": "Your own: any settings of training, sampling and measuring, or of your own job",
    },
    "studies.schedules": {
        "mnist_schedules": "Noise schedules, Figures 1, 2, 5, 9: families on MNIST",
        "mnist_initial_noise": "Noise schedules, Figures 11-14: sigma_1 and shares of the digits",
        "cifar_schedules": "Noise schedules, Figures 1, 3, 6, 10: families on CIFAR-10",
        "cars_schedules": "Noise schedules, Figures 8, 15, 16: two families on Stanford Cars",
        "consistent_schedules": "Across the papers: consistent sampling of five families",
    },
}


_OF_A_PAPER = {
    "demo": "embedded data and small networks, minutes on a CPU",
    "paper": "the paper's data, networks, iterations and numbers of images",
}
_GENERAL = {
    "demo": "small, on a CPU",
    "paper": "the published networks and settings, on GPUs",
}


@dataclass(frozen=True)
class Entry:
    """The registry entry of a study.

    Attributes:
        module: dotted path of the study's module.
        title: table or figure of the paper and its subject, in a few words.
        is_general: whether the study is of the user's own data and settings, and of no paper.
    """

    module: str
    title: str
    is_general: bool = False

    @property
    def scales(self) -> Mapping[str, str]:
        """Meaning of each scale in a few words, by name of the scale."""
        return _GENERAL if self.is_general else _OF_A_PAPER


STUDIES = {
    name: Entry(f"{room}.{name}", title, is_general=room == "studies.general")
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


def find_study(name: str) -> StudyDefinition:
    """Imports the module of a study and returns its definition.

    Args:
        name: a key of `STUDIES`; a file ``FILE.py`` or a dotted module name with a study of the
            user's own; or the name of a user's study whose module is imported already.

    Raises:
        InputError: there is no such study (the message suggests the nearest name), or a user's
            module cannot be imported or holds no study.
    """
    if name in STUDIES:
        module = cast(StudyModule, import_module(STUDIES[name].module))
        return StudyDefinition(name, {"demo": module.demo, "paper": module.paper}, module.study)
    for definition in own_studies():
        names = definition.name, full_name(definition.name, definition.kind)
        if known_form(name, names) in names:
            return definition
    if name.endswith(".py") or (
        re.fullmatch(r"\w+(\.\w+)+", name) and not _OWN_NAME.fullmatch(name)
    ):
        return own_study(import_own(name))
    if _OWN_NAME.fullmatch(name):
        raise InputError(
            f"the study {name.partition('.')[0]} is a user's own: give its file or module", _MODULES
        )
    known, file = [*STUDIES, *(definition.name for definition in own_studies())], f"{name}.py"
    near = [file] if os.path.isfile(file) else difflib.get_close_matches(name, known, n=1)
    raise InputError(
        f"NAME must be a file FILE.py, a module, or one of {', '.join(known)}, but got "
        f"{name!r}{hint(near)}"
    )
