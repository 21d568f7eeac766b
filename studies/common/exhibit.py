"""What a study is of: a table, figure or appendix of a paper, and the question that it answers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from studies.common.execution_settings import StudySettings
from studies.reported import reported
from tuning.stages import Baseline, Protocol, TrainedWeights
from tuning.study import Cell, Curve, Reported, Search, Study


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """A table, figure or appendix of a paper.

    Where several tables have one form, a subclass holds as defaults what they have alike, and adds
    what that form needs to know of the paper.

    Attributes:
        name: of the study, as in ``python -m studies.run NAME``.
        paper: its short name, as in `reported.csv`.
        label: which table, figure or appendix: "Table 1".
        title: its caption, in our words.
        question: what the study asks, for people.
        figures: names of what is drawn of the results (`dashboards.figures`), in order.
        notes: what else has to be said under the table.
        where: the columns of `reported.csv` that its numbers have alike; empty without numbers.
    """

    name: str
    paper: str
    label: str
    title: str
    question: str
    figures: tuple[str, ...]
    notes: tuple[str, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict)

    def study(
        self,
        scale: str,
        settings: StudySettings,
        cells: Iterable[Cell],
        *,
        searches: Iterable[Search] = (),
        snapshots: Iterable[TrainedWeights] = (),
        baselines: tuple[Baseline, ...] = (),
        curves: Iterable[Curve] = (),
        title: str | None = None,
        notes: tuple[str, ...] | None = None,
    ) -> Study:
        """The study of the exhibit: `tuning.study.Study` says what its parts are.

        Args:
            scale: "demo" or "paper".
            settings: everything that defines the study.
            cells: row by row.
            searches: in the order they should be served.
            snapshots: training to be done whether or not a cell needs it.
            baselines: for the table's foot.
            curves: what is drawn against iterations.
            title: in place of the exhibit's, where the title names settings.
            notes: in place of the exhibit's, where the notes depend on settings.
        """
        return Study(
            name=self.name,
            scale=scale,
            paper=self.paper,
            exhibit=self.label,
            title=title or self.title,
            question=self.question,
            settings=settings,
            cells=tuple(cells),
            searches=tuple(searches),
            snapshots=tuple(snapshots),
            baselines=baselines,
            curves=tuple(curves),
            figures=self.figures,
            notes=self.notes if notes is None else notes,
        )

    def reported(
        self, source: str | None = None, protocol: Protocol | None = None, **columns: str
    ) -> Reported:
        """The one number of the paper with these columns of `reported.csv`, and those of `where`.

        Args:
            source: where the number stands, for people; None for the exhibit.
            protocol: how the number was measured, if any of ours can be compared with it.
            columns: such as ``metric="fid"``; a column of `where` is replaced.

        Raises:
            LookupError: none, or more than one, matches.
        """
        value = reported(**{"paper": self.paper, **self.where, **columns})
        return Reported(value, source or self.label, protocol)
