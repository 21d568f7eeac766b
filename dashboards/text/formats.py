"""Formats tables with titles and notes as terminal text, Markdown, LaTeX or HTML; formats lists."""

import html
import io
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_COLOURS = {"reproduced": "green", "within": "yellow", "differs": "red", "failed": "red"}
"""Terminal colour of a part of a cell, by the word that it begins with; other parts have none."""

_UNBOUNDED = 10_000  # columns
_WIDEST_LABEL = 50  # characters; longer texts of a first column are wrapped in LaTeX

_LATEX = str.maketrans({
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "±": r"$\pm$",
})  # fmt: skip


@dataclass(frozen=True)
class Document:
    """Tables with a title, a heading and notes.

    Attributes:
        title: title of the document.
        heading: line that explains the numbers.
        tables: pairs of a table's title ("" for none) and the table; table cells are text.
        foot: notes under the tables, one line each.
    """

    title: str
    heading: str
    tables: Sequence[tuple[str, pd.DataFrame]]
    foot: Sequence[str]


def as_rich(document: Document, width: int | None = None) -> str:
    """Formats a document for the terminal.

    Args:
        document: document to format.
        width: width of the output in characters; None for the width of the terminal. A table is
            never drawn narrower than its longest words, so that no number is cut.
    """
    out = io.StringIO()
    console = Console(file=out, force_terminal=sys.stdout.isatty(), width=width)
    console.print(Text(document.title, style="bold"))
    console.print(Text(document.heading))
    for title, data in document.tables:
        if title:
            console.print(Text(title))
        for table in _fitting(_with_short_names(data), console):
            room = console.options.update(width=_UNBOUNDED)
            console.width = max(console.width, console.measure(table, options=room).minimum)
            console.print(table)
    n_cut = 0
    for line in document.foot:
        shown = Text(line)
        if console.is_terminal:
            shown.truncate(console.width, overflow="ellipsis")
        n_cut += shown.plain != line
        console.print(shown, soft_wrap=True)
    if n_cut:
        console.print(Text(f"(notes that are cut here: {n_cut}; the report has them in full)"))
    return out.getvalue()


def _with_short_names(data: pd.DataFrame) -> pd.DataFrame:
    """Returns a table in which the names of searches are as short as they can be."""
    if "search" not in data:
        return data
    return data.assign(search=[str(n).replace("n_sigma=", "n=") for n in data["search"]])


def _fitting(data: pd.DataFrame, console: Console) -> list[Table]:
    """Returns the table so that each cell has one line, if that is possible.

    A table whose cells have several lines is narrow already, and its first column may wrap. Another
    table that is too wide is transposed if it has more columns than rows, and else split: its
    columns follow in further tables, each after the first column.
    """
    has_lines = any("\n" in str(cell) for cell in data.to_numpy().ravel())
    if has_lines or _width(data, console) <= console.width:
        return [_rich_table(data)]
    turned = data.T.reset_index()
    if len(turned.columns) < len(data.columns):
        turned.columns = turned.iloc[0]
        if _width(turned[1:], console) <= console.width:
            return [_rich_table(turned[1:])]
    parts: list[list[int]] = [[]]
    for column in range(1, len(data.columns)):
        wanted = [0, *parts[-1], column]
        if parts[-1] and _width(data.iloc[:, wanted], console) > console.width:
            parts.append([])
        parts[-1].append(column)
    return [_rich_table(data.iloc[:, [0, *part]]) for part in parts]


def _width(data: pd.DataFrame, console: Console) -> int:
    room = console.options.update(width=_UNBOUNDED)
    return console.measure(_rich_table(data), options=room).maximum


def _rich_table(data: pd.DataFrame) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in data.columns:
        table.add_column(Text(str(name)), overflow="fold")
    for row in data.itertuples(index=False):
        table.add_row(*(_coloured(str(value)) for value in row))
    return table


def _coloured(text: str) -> Text:
    parts = [Text(part.text, style=_COLOURS.get(part.mark, "")) for part in parts_of(text)]
    return Text(" / ").join(parts)


@dataclass(frozen=True)
class Part:
    """A part of a table cell; " / " separates the parts.

    Attributes:
        text: text of the part.
        mark: first word of the text if the word is a verdict or "failed", else "".
    """

    text: str
    mark: str


def parts_of(text: str) -> list[Part]:
    """Splits the text of a cell at " / " and marks verdicts and failures."""
    return [
        Part(part, next((mark for mark in _COLOURS if part.startswith(mark)), ""))
        for part in text.split(" / ")
    ]


def in_words(parts: Iterable[str]) -> str:
    """Joins parts with commas, and with "and" before the last part; no parts give ""."""
    *first, last = [*parts] or [""]
    return f"{', '.join(first)} and {last}" if first else last


def as_markdown(document: Document) -> str:
    """Formats a document as GitHub-flavoured Markdown."""
    lines = [f"**{document.title}**", "", document.heading, ""]
    for title, data in document.tables:
        lines += [title, ""] if title else []
        lines += [*markdown_table(data), ""]
    return "\n".join([*lines, *(f"- {line}" for line in document.foot)]) + "\n"


def markdown_table(data: pd.DataFrame) -> list[str]:
    """Formats a table as the lines of a GitHub-flavoured Markdown table."""
    rows = [" | ".join(map(str, row)) for row in [data.columns, *data.itertuples(index=False)]]
    rows.insert(1, " | ".join("---" for _ in data.columns))
    return [f"| {row} |" for row in rows]


def as_html(document: Document) -> str:
    """Formats a document as HTML without styles, which a notebook shows in its own."""
    parts = [f"<p><b>{html.escape(document.title)}</b><br>{html.escape(document.heading)}</p>"]
    for title, data in document.tables:
        parts += [f"<p>{html.escape(title)}</p>"] if title else []
        parts.append(html_table(data, index=False))
    notes = "".join(f"<li>{html.escape(line)}</li>" for line in document.foot)
    return "\n".join([*parts, f"<ul>{notes}</ul>" if notes else ""])


def html_table(data: pd.DataFrame, *, index: bool) -> str:
    """Formats a table as HTML, with whole texts.

    Args:
        data: table to format.
        index: whether the index is shown.
    """
    with pd.option_context("display.max_colwidth", None):  # pandas would cut texts at 50 characters
        return str(data.to_html(index=index, border=0))


def as_latex(document: Document) -> str:
    r"""Formats a document as LaTeX: one table environment for each table, in booktabs style.

    The caption of the first table is the title of the document; heading and notes follow under the
    first table. The result is meant for ``\input`` in a document that loads booktabs.
    """
    first, *others = document.tables
    notes = " \\\\\n".join(_latex_text(line) for line in (document.heading, *document.foot))
    below = f"\\par\\smallskip\n\\parbox{{\\linewidth}}{{\\footnotesize\n{notes}}}\n"
    parts = [_latex_table(first[1], document.title, below)]
    parts += [_latex_table(data, title, "") for title, data in others]
    return "\n".join(parts)


def _latex_table(data: pd.DataFrame, caption: str, below: str) -> str:
    escaped = data.astype(str).map(_latex_text)
    escaped.columns = [_latex_text(str(name)) for name in data.columns]
    is_prose = data.iloc[:, 0].astype(str).str.len().max() > _WIDEST_LABEL
    first = r"p{0.3\linewidth}" if is_prose else "l"
    tabular = escaped.style.hide(axis="index").to_latex(
        hrules=True, column_format=first + "r" * (len(data.columns) - 1)
    )
    return (
        f"\\begin{{table}}\n\\centering\n\\caption{{{_latex_text(caption)}}}\n"
        f"{tabular}{below}\\end{{table}}\n"
    )


def _latex_text(text: str) -> str:
    return text.translate(_LATEX)
