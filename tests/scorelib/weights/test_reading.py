"""Bad input: one line that says what came and how to mend it; no code of a file ever runs."""

import os
import pickle

import pytest
import safetensors.torch
import torch

from scorelib.errors import InputError
from scorelib.networks import DdpmUNet, Ncsn, Ncsnv2
from scorelib.schedules import ExplicitSchedule, GeometricSchedule, LinearSchedule
from scorelib.weights import read
from tests.scorelib.weights.formula import content, levels, prefixed, sigmas, weights, write

V2, NCSN, UNET, PP = "ncsnv2_32", "ncsn_32", "unet_ddpm_32", "ncsnpp_ve_32"


@pytest.fixture
def file(tmp_path):
    """Writes content to a file and gives its path."""
    return lambda saved, **options: write(tmp_path / "file.pth", saved, **options)


def refusal(path, *words, **options):
    """The one line by which a file is refused; it has all the words."""
    with pytest.raises(InputError) as caught:
        read(path, **options)
    line = str(caught.value)
    assert "\n" not in line and ";" in line
    assert [word for word in words if word not in line] == [], line
    assert caught.value.fields
    return line


class Malicious:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("container", ["new", "old", "pickle"])
def test_code_in_a_file_is_refused_and_does_not_run(container, tmp_path):
    target, path = tmp_path / "made by code", tmp_path / "evil.pth"
    saved = [{"module.begin_conv.weight": torch.ones(2)}, Malicious(target), {"ema": 1}]
    if container == "pickle":
        path.write_bytes(pickle.dumps({"ema": Malicious(target)}))  # as EDM's files
    else:
        write(path, saved, old=container == "old")
    refusal(path, "no code was run", "torch.save(model.state_dict(), FILE)")
    assert not target.exists()
    pickle.loads(pickle.dumps(Malicious(target)))
    assert target.exists(), "the code must be able to run"


def test_whole_modules_are_refused(file):
    refusal(file(torch.nn.Linear(2, 2)), "no code was run", "torch.nn.modules.linear.Linear")


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.5, 0.9, 0.9999])
def test_truncated_files_are_refused(file, old, share):
    path = file(content(NCSN, "ncsn"), old=old)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    refusal(path, "whole", "fetch the file again")


@pytest.mark.parametrize("text", [b"version https://git-lfs", b"<!DOCTYPE html>", b"PK\x03\x04run"])
def test_other_files_are_refused(file, text):
    path = file([])
    path.write_bytes(text)
    refusal(path, "of another kind")


def test_absent_files_and_folders_of_others_are_refused(tmp_path):
    refusal(tmp_path / "none.pth", "No such file", "name another")
    refusal(tmp_path, "config.json", "name a file")
    (tmp_path / "model_index.json").write_text("{}")
    refusal(tmp_path, "a folder of diffusers must hold config.json")
    (tmp_path / "config.json").write_text('{"_class_name": "UNet2DModel"}')
    refusal(tmp_path, "must hold the weights diffusion_pytorch_model.safetensors")
    (tmp_path / "model_index.json").unlink()
    (tmp_path / "config.json").write_text('{"format": "theirs"}')
    refusal(tmp_path, "another program")


def test_damaged_safetensors_are_refused_and_whole_ones_are_read(tmp_path):
    path = tmp_path / "weights.safetensors"
    safetensors.torch.save_file(prefixed(weights(V2)), path)
    assert read(path).network == Ncsnv2(ngf=6)
    path.write_bytes(path.read_bytes()[:-10])
    refusal(path, "whole safetensors file")


def test_the_digest_is_compared(file):
    path = file(content(V2, "ncsnv2"))
    digest = read(path).sha256
    assert read(path, sha256=digest.upper()).sha256 == digest
    refusal(path, digest, sha256="0" * 64)


@pytest.mark.parametrize("saved", [[], {}, [1, 2], {"model": 1}, [{}, {}], 3, {"a": {"b": 1}}])
def test_other_layouts_are_refused(file, saved):
    refusal(file(saved), "layout")


def test_a_format_that_is_asked_for_must_come(file):
    path = file(content(V2, "ncsnv2"))
    refusal(path, "score-sde", "ncsnv2", format="score-sde")
    refusal(path, "must be one of", format="edm")
    assert read(path, "adversarial-score-matching").format == "ncsnv2"


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["input_blocks.0.0.weight"], "OpenAI"),
        (["down_blocks.0.resnets.0.norm1.weight"], "diffusers"),
        (["all_modules.0.weight", "all_modules.1.weight"], "positional NCSN++"),
        (["conv1.weight", "fc.bias"], "the nearest here is"),
    ],
)
def test_another_network_is_refused_with_the_nearest(file, names, words):
    state = {name: torch.zeros(8, 3, 3, 3) for name in names}
    refusal(file(state), words, "nearest", names[0])


def test_the_nearest_is_found_by_shapes_whatever_the_names(file):
    state = {f"layer{i}": t for i, t in enumerate(weights(NCSN).values())}
    assert "the nearest here is" in refusal(file(state), "173 tensors")
    shapes = {f"layer{i}": torch.zeros(1).expand(128, 128, 3, 3) for i in range(3)}
    refusal(file(shapes), "Ncsnv2", "128")


def test_missing_unexpected_and_misshapen_tensors_are_named(file):
    state = dict(weights(V2))
    del state["res2.0.conv1.bias"]
    del state["end_conv.bias"]
    state["extra.weight"] = torch.zeros(2)
    state["res1.0.conv1.bias"] = torch.zeros(5)
    refusal(
        file(state),
        "2 missing (end_conv.bias, res2.0.conv1.bias)",
        "1 unexpected (extra.weight)",
        "1 of another shape (res1.0.conv1.bias (5,) for (6,))",
    )
    del state["begin_conv.weight"]
    refusal(file(state), "begin_conv.weight")


def test_a_wrong_ngf_is_told_with_the_nearest_architecture(file):
    path = file(content(V2, "ncsnv2"))
    refusal(path, "of another shape", "nearest", "ngf=6", network=Ncsnv2(ngf=128))
    refusal(path, "missing", "unexpected", "ngf=6", network=DdpmUNet())
    deeper = Ncsnv2(ngf=6, multipliers=(1, 2, 2, 2, 2))
    refusal(path, "missing", "res3.0", "multipliers=(1, 2, 2, 2)", network=deeper)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_half_precision_is_refused_unless_wanted(file, kind):
    path = file({name: t.to(kind) for name, t in weights(V2).items()})
    refusal(path, "half=True", str(kind).removeprefix("torch."))
    found = read(path, half=True)
    assert any("float16" in note for note in found.notes)
    first = weights(V2)["begin_conv.weight"]
    assert torch.equal(found.state["first.weight"], first.to(kind).float())


def test_broken_and_whole_numbers_are_refused(file):
    state = dict(weights(V2))
    refusal(file(state | {"end_conv.bias": torch.tensor([1.0, torch.nan, 0])}), "end_conv.bias")
    refusal(file(state | {"end_conv.bias": torch.ones(3, dtype=torch.long)}), "int64")


@pytest.mark.parametrize("layout", ["ncsnv2", "adversarial-score-matching"])
@pytest.mark.parametrize("n", [4, 5])
def test_missing_averages_are_refused_unless_not_wanted(file, layout, n):
    saved = [*content(V2, layout)[:4], None][:n]
    refusal(file(saved), "EMA", "ema=False")
    assert "without averaging" in read(file(saved), ema=False).notes[0]


def test_missing_and_foreign_averages_of_score_sde_are_refused(file):
    saved = content(PP, "score-sde")
    refusal(file(saved | {"ema": None}), "EMA", "ema=False")
    without = {key: value for key, value in saved.items() if key != "ema"}
    refusal(file(without), "EMA", "ema=False")
    shadow = saved["ema"]["shadow_params"]
    for wrong in (shadow[1:], shadow[::-1], [1.0] * len(shadow)):
        refusal(file(saved | {"ema": {"shadow_params": wrong}}), "in the order of model")


def test_levels_that_increase_are_refused_unless_said(file):
    saved = content(V2, "ncsnv2")
    saved[0] = saved[0] | {"module.sigmas": sigmas(V2).flip(0).float()}
    refusal(file(saved), "must strictly decrease", "0.01 to 50", "first_level='smallest'")
    assert read(file(saved), first_level="smallest").schedule == levels(V2)
    refusal(file(content(V2, "ncsnv2")), "'largest'", first_level="smallest")


def test_tables_the_other_way_round_are_read_as_said(file):
    said = dict(schedule=levels(NCSN))
    usual = read(file(content(NCSN, "ncsn")), **said).state
    other = read(file(content(NCSN, "ncsn")), first_level="smallest", **said).state
    assert torch.equal(usual["norm.gamma"].flip(0), other["norm.gamma"])
    assert torch.equal(weights(NCSN)["normalizer.embed.weight"][0, :6], usual["norm.gamma"][-1])


def test_the_schedule_of_ncsn_is_asked_for(file):
    path = file(content(NCSN, "ncsn"))
    refusal(path, "only the number of levels, 10", "give a schedule")
    wrong = GeometricSchedule(sigma_1=1.0, sigma_L=0.01, n_levels=9)
    refusal(path, "10", "9", schedule=wrong)
    refusal(path, "10", "(9,", network=Ncsn(ngf=6, schedule=wrong))
    refusal(path, "the network's", network=Ncsn(ngf=6), schedule=wrong)
    assert read(path, network=Ncsn(ngf=6)).schedule == Ncsn().schedule


def test_a_schedule_that_no_file_tells_is_asked_for_when_needed(file):
    found = read(file(content(UNET, "adversarial-score-matching")))
    with pytest.raises(InputError, match="give the schedule"):
        found.require_schedule()


def test_another_schedule_than_the_files_is_refused(file):
    path = file(content(V2, "ncsnv2"))
    refusal(path, "232 levels, 50 to 0.01", schedule=levels(V2).replace(n_levels=100))
    continuous = file(content(PP, "score-sde"))
    fewer = levels(PP).replace(n_levels=100)
    assert read(continuous, schedule=fewer).schedule == fewer
    refusal(continuous, "0.01 to 50", schedule=fewer.replace(sigma_1=90.0))


@pytest.mark.parametrize("family", [LinearSchedule, GeometricSchedule])
@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_levels_tell_their_schedule(file, family, kind):
    schedule = family(sigma_1=12.3, sigma_L=0.07, n_levels=7)
    saved = content(V2, "ncsnv2")
    saved[0] = saved[0] | {"module.sigmas": torch.tensor(schedule.sigmas, dtype=kind)}
    half = kind in (torch.float16, torch.bfloat16)
    assert read(file(saved), half=half).schedule == schedule
    assert read(file(saved), schedule=schedule, half=half).schedule == schedule
    uneven = torch.tensor([3.0, 2.9, 1.0, 0.4])
    found = read(file([saved[0] | {"module.sigmas": uneven}, *saved[1:]])).schedule
    assert found == ExplicitSchedule(sigmas=(3.0, 2.9, 1.0, 0.4))


def test_a_flipped_byte_is_found_by_the_checksum_of_its_part(file):
    path = file(content(V2, "ncsnv2"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    refusal(path, "the checksum of its part", "is damaged")


def test_a_list_of_two_has_no_averages_unless_its_network_is_ncsn(file):
    saved = content(V2, "ncsnv2")
    path = file(saved[:2])
    refusal(path, "a list of two with weights of Ncsnv2")
    assert read(path, ema=False).network == read(file(saved)).network


def test_a_centring_unet_is_refused(file):
    path = file(content(UNET, "adversarial-score-matching"))
    refusal(path, "centres_input False", network=DdpmUNet(width=64, centres_input=True))


def test_skips_of_input_and_output_are_refused(file):
    state = dict(weights(PP)) | {"all_modules.7.Conv_0.weight": torch.zeros(16, 3, 1, 1)}
    state = {n: t for n, t in state.items() if not n.startswith("all_modules.7.Conv2d")}
    refusal(file(state), "input_skip")


def test_shapes_are_asked_for_and_compared(file):
    found = read(file(content(V2, "ncsnv2")))
    for shape in (None, (1, 32, 32)):
        with pytest.raises(InputError, match="3 channels"):
            found.build(shape)
