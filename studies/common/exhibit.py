"""Exhibits: descriptions of what a study reproduces.

An exhibit describes a table, figure or appendix of a paper and the question that the study answers.
Every study module defines its exhibit as the constant `EXHIBIT`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from studies.common.execution_settings import StudySettings
from studies.reported import reported
from tuning.cells import Cell, Reported, Search
from tuning.claims import Claim
from tuning.jobs import Job
from tuning.stages import Baseline, Protocol
from tuning.study import Curve, Study


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """A table, figure or appendix of a paper that a study reproduces.

    If several tables share a layout, a subclass sets the shared values as defaults and adds the
    fields that the layout needs.

    Attributes:
        name: name of the study, as in ``python -m studies.run NAME``.
        paper: short name of the paper, as in `reported.csv`.
        label: table, figure or appendix of the paper, such as "Table 1".
        title: caption in our words.
        question: question that the study answers, as a sentence.
        figures: names of the figures that show the results (`dashboards.figures`), in order.
        notes: further remarks that are printed below the table.
        where: values by column of `reported.csv` that all reported numbers of this exhibit share;
            empty if the paper reports no numbers.
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
        snapshots: Iterable[Job] = (),
        baselines: tuple[Baseline, ...] = (),
        curves: Iterable[Curve] = (),
        claims: Iterable[Claim] = (),
        title: str | None = None,
        notes: tuple[str, ...] | None = None,
        figures: tuple[str, ...] | None = None,
    ) -> Study:
        """Returns the study that reproduces the exhibit; see `tuning.study.Study` for its parts.

        Args:
            scale: "demo" or "paper".
            settings: settings that define the study.
            cells: cells of the table, row by row.
            searches: searches in order of priority.
            snapshots: snapshots that are trained, or weights that are imported, even if no cell
                needs them.
            baselines: reference distances for the foot of the table.
            curves: quantities that are plotted against training iterations.
            claims: claims of the paper about the numbers of the cells; claims without a pair of
                measured cells are left out.
            title: title that replaces the exhibit's, for titles that contain settings; None for the
                exhibit's.
            notes: notes that replace the exhibit's, for notes that depend on settings; None for the
                exhibit's.
            figures: figures that replace the exhibit's; None for the exhibit's.
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
            claims=tuple(claim for claim in claims if claim.pairs),
            figures=self.figures if figures is None else figures,
            notes=self.notes if notes is None else notes,
        )

    def reported(
        self, source: str | None = None, protocol: Protocol | None = None, **columns: str
    ) -> Reported:
        """Returns the only reported number that matches the given columns and those of `where`.

        Args:
            source: place of the number in the paper, as shown to readers; None for `label`.
            protocol: protocol by which the number was measured; None if no number of ours can be
                compared with the reported one.
            columns: values by column of `reported.csv`, such as ``metric="fid"``; a value given
                here overrides the value in `where`.

        Raises:
            LookupError: no reported number matches, or several match.
        """
        found = reported(**{"paper": self.paper, **self.where, **columns})
        return Reported(found.value, source or self.label, protocol, found.n_images)
