"""Tests of tables: papers' numbers of other numbers of samples, certainty of classifiers."""

import csv
import dataclasses

import pytest

from dashboards.records.mlflow_common import reported_name
from dashboards.results.cells import CellView, Measured, StudyView, classifier
from dashboards.text.table import foot, grid, heading, render, table_data
from studies.registry import find_study
from tuning.cells import Cell, Reported


def study_of(name, scale="demo", **changes):
    """Returns a study with changed settings."""
    module = find_study(name)
    return module.study(scale, module.settings(scale).replace(**changes))


def view_of(study, **changes):
    """Returns the view of a study without results."""
    return StudyView(study, tuple(map(CellView, study.cells)), (), {}, **changes)


def papers(view):
    """Returns the labels of the papers' numbers, of both layouts: rows, and ends of columns."""
    stacked = [row for row in grid(view, stacked=True)[""] if row.startswith("  ")]
    wide = [c.partition(": ")[2] for c in grid(view).columns if ": paper" in c]
    return set(map(str.strip, stacked)), set(wide)


@pytest.mark.parametrize(("n_images", "label"), [(26_000, "paper"), (200, "paper, 26,000 samples")])
def test_the_papers_modes_stand_beside_ours_without_remark_only_if_as_many_stacks(n_images, label):
    view = view_of(study_of("stacked_mnist_modes", n_images=n_images))
    assert papers(view) == ({label}, {label})
    assert set(table_data(view)["reported_protocol"].dropna()) == {"26,000 samples"}


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("cifar10_dlsm", {"paper, 50,000 samples"}),
        ("dlsm_front", {"paper, 50,000 samples"}),
        ("dlsm_scaling", {"paper, unstated number of samples"}),
        ("mnist_initial_noise", {"paper", "paper, unstated number of samples"}),
        ("moons_score_mismatch", {"paper", "paper, unstated number of samples"}),
        ("noise_consistency", {"paper"}),  # exact, from no samples
        ("cifar_sampling_eps", {"paper"}),  # the protocol stands under the table
    ],
)
def test_every_table_says_of_how_many_samples_the_papers_numbers_are(name, labels):
    view = view_of(study_of(name))
    assert papers(view) == (labels, labels)


def test_papers_numbers_of_as_many_images_need_no_remark_at_paper_scale():
    assert papers(view_of(study_of("cifar10_dlsm", "paper"))) == ({"paper"}, {"paper"})


def test_the_heading_counts_the_seeds_of_repeated_jobs_and_of_no_other():
    one, three = (heading(view_of(study_of("mnist_initial_noise", seeds=n))) for n in (1, 3))
    shares, labels, accuracy, *spread = three.removeprefix("ours: ").split("; ")
    assert shares == "shares of 3,000 raw images by digits-cnn, 95% intervals x 3 seeds"
    assert "seeds" not in labels + accuracy and spread == ["± std over seeds"]
    assert one == f"ours: {shares.removesuffix(' x 3 seeds')}; {labels}; {accuracy}"


def test_shares_that_reach_and_the_accuracy_of_the_classifier_are_told_apart():
    table = grid(view_of(study_of("mnist_initial_noise")), stacked=True).set_index("")
    labels = list(table.index)
    assert labels[labels.index("reach 10%") + 1] == "  paper, unstated number of samples"
    assert labels[labels.index("accuracy") + 1] == "  paper"


def test_every_number_with_a_protocol_is_of_as_many_images_as_the_file_says():
    found = [
        (known.protocol.n_images, known.n_images)
        for name in ("cifar_sampling_eps", "church_sampling_eps", "cifar_unet_sampling_eps")
        for cell in study_of(name, "paper").cells
        for known in cell.reported.values()
    ]
    assert len(found) == 50 and {of for of, _ in found} == {10_000, 50_000}
    assert all(protocols == files for protocols, files in found)


def test_mlflow_names_the_number_of_samples_of_a_papers_number():
    def names(n_images):
        cells = study_of("stacked_mnist_modes", n_images=n_images).cells
        return {reported_name(cell, "raw") for cell in cells}

    assert names(26_000) == {"reported_modes", "reported_kl"}
    assert names(200) == {f"reported_{of} of 26_000 samples" for of in ("modes", "kl")}


def test_a_number_is_described_by_its_protocol_or_else_by_its_samples():
    cell = study_of("stacked_mnist_modes").cells[0]
    assert Reported(1.0, "", cell.protocol, 5).described == cell.protocol.describe()
    assert Reported(1.0, "", n_images=5000).described == "5,000 samples"
    assert Reported(1.0, "").described is None


def measured(cell: Cell, raw, denoised):
    """Returns the view of a measured cell with the certainty of raw and denoised images."""
    certainty = {"raw": raw and Measured(raw), "denoised": denoised and Measured(denoised)}
    return CellView(cell, measured={"raw": Measured((2.0,))}, certainty=certainty)


def certainty_note(study, *certainties, real=0.98):
    """Returns the notes on classifiers of a view with measured cells."""
    own = [cell for cell in study.cells if cell.is_measured]
    cells = tuple(
        dataclasses.replace(measured(cell, *of), scores=cell.jobs(cell.search.space.score(start)))
        for cell, of in zip(own, certainties, strict=True)
        for start in [cell.search.starts[0]]
    )
    view = dataclasses.replace(
        view_of(study, real_certainty={classifier(own[0]): real}), cells=cells
    )
    return [line for line in foot(view) if line.startswith("mean probability")]


def test_a_table_says_how_sure_the_classifier_is_of_each_rows_images_and_of_real_images():
    first, second = ((0.5, 0.7), (0.8,)), ((0.4,), (0.9,))
    (note,) = certainty_note(study_of("stacked_mnist_modes"), first, first, second, second)
    assert note.startswith(
        "mean probability that stacked-digits-cnn gives to the most likely class: "
        "0.980 on held-out real images; 0.600 raw, 0.800 denoised on non-adversarial DSM; "
        "0.400 raw, 0.900 denoised on adversarial DSM ("
    )


def test_a_certainty_that_is_not_stored_is_said_to_be_not_measured():
    none, some = (None, None), ((0.5,), None)
    study = study_of("stacked_mnist_modes")
    (note,) = certainty_note(study, none, none, none, none, real=None)
    assert note.endswith("most likely class: not measured")
    (note,) = certainty_note(study, none, none, some, some, real=None)
    assert (
        "class: not measured on held-out real images; not measured on non-adversarial DSM; "
        "0.500 raw, not measured denoised on adversarial DSM" in note
    )


def test_tables_that_rest_on_no_classifier_or_hold_no_numbers_have_no_such_note():
    view = view_of(study_of("stacked_mnist_modes"))
    of = classifier(view.cells[-1].cell)
    assert not any("mean probability" in line for line in foot(view))
    unmeasured = dataclasses.replace(view, real_certainty={of: 0.9})
    assert not any("mean probability" in line for line in foot(unmeasured))
    assert all(classifier(cell) is None for cell in study_of("cifar_sampling_eps").cells)


def test_csv_holds_the_step_sizes_within_noise_of_the_best_beside_the_winner():
    study = study_of("cifar_sampling_eps")
    known, unknown = (CellView(cell) for cell in study.cells[:2])
    known = dataclasses.replace(known, within_noise=(2.4e-3, 3.9e-3))
    header, *lines = render(StudyView(study, (known, unknown), (), {}), "csv").splitlines()
    names = header.split(",")
    first = names.index("within_noise_from")
    assert names[first - 2 : first + 2] == ["epsilon", "r", "within_noise_from", "within_noise_to"]
    spans = [tuple(next(csv.reader([line]))[first : first + 2]) for line in lines]
    assert set(spans[: len(lines) // 2]) == {("0.0024", "0.0039")}
    assert set(spans[len(lines) // 2 :]) == {("", "")}
