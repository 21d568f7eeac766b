"""Tests that the subject of a study is stated once, in the study's exhibit."""

import pytest

from scorelib.data import Digits
from scorelib.metrics.classifier import ClassifierFeatures, ClassifierSpec
from studies.common.distances import baselines
from studies.common.execution_settings import StudySettings
from studies.common.exhibit import Exhibit
from tuning.cells import Cell
from tuning.stages import FidProtocol

TABLE_1 = Exhibit(
    name="mine",
    paper="acsm",
    label="Table 1",
    title="Distances",
    question="Which sampler is best?",
    figures=("step_sizes",),
    notes=("nobody knows",),
    where={"table": "1", "dataset": "cifar10", "network": "ncsnv2"},
)
ROW = {"row": "sampler=cas n_sigma=1", "column": "adversarial"}


def test_an_exhibit_makes_the_study_of_its_parts():
    cells, settings = [Cell(row="a", column="b"), Cell(row="c", column="b")], StudySettings()
    made = TABLE_1.study("demo", settings, iter(cells))
    assert made.cells == tuple(cells) and made.settings is settings and made.scale == "demo"
    assert (made.searches, made.snapshots, made.baselines, made.curves) == ((), (), (), ())
    assert (made.title, made.notes) == ("Distances", ("nobody knows",))


def test_a_title_and_notes_that_name_settings_stand_in_place_of_the_exhibit_s():
    made = TABLE_1.study("demo", StudySettings(), (), title="Distances at 8 x 8", notes=())
    assert (made.title, made.notes) == ("Distances at 8 x 8", ())


def test_a_reported_number_is_found_by_the_exhibit_s_columns_and_one_s_own():
    found = TABLE_1.reported(**ROW, metric="fid_denoised")
    assert (found.value, found.source, found.protocol) == (10.80, "Table 1", None)


def test_a_column_of_one_s_own_replaces_the_exhibit_s():
    found = TABLE_1.reported("Table 5", **ROW, table="5", metric="epsilon")
    assert (found.value, found.source) == (5.55e-6, "Table 5")


def test_a_reported_number_comes_with_the_protocol_that_is_given():
    protocol = FidProtocol(
        extractor=ClassifierFeatures(classifier=ClassifierSpec(data=Digits())), data=Digits(),
        n_images=100, seeds="fresh",
    )  # fmt: skip
    assert TABLE_1.reported(None, protocol, **ROW, metric="fid").protocol is protocol


@pytest.mark.parametrize("columns", [{"metric": "fid"}, ROW | {"metric": "kid"}])
def test_a_number_that_is_not_one_is_refused(columns):
    with pytest.raises(LookupError, match=r"^one reported number must match .*, but \d+ match$"):
        TABLE_1.reported(**columns)


def test_the_foot_of_a_table_measures_to_the_protocol_s_reference():
    protocol = FidProtocol(
        extractor=ClassifierFeatures(classifier=ClassifierSpec(data=Digits())), data=Digits(),
        n_images=123, seeds="fresh",
    )  # fmt: skip
    held_out, gaussian = baselines(protocol)
    assert (held_out.kind, gaussian.kind, gaussian.n_images) == ("held-out", "gaussian", 123)
    assert held_out.reference == gaussian.reference == protocol.reference
