"""Tests of tables as text: the same cells in every format, valid LaTeX, and no lost content."""

import html
import re
import shutil
import subprocess

import pandas as pd
import pytest
from rich.cells import cell_len

from dashboards.text.formats import Document, as_html, as_latex, as_markdown, as_rich

HOSTILE = r"50% of $x_1$ & \input{y} #2 ~ ^ {z} <b>"
DOCUMENT = Document(
    title=f"Table 1. {HOSTILE}",
    heading="ours: fd, 20 images x 3 seeds; ± over seeds",
    tables=[
        ("", pd.DataFrame({"": ["als", HOSTILE], "a_b: ours": ["1.5 ±.2 / 3", "failed: 7"]})),
        ("Step sizes", pd.DataFrame({"search": ["s_1" * 20], "epsilon": ["1e-05"]})),
    ],
    foot=["paper: 100% fid", HOSTILE],
)


def unescaped(latex):
    """Returns the text that a reader of the compiled LaTeX would see."""
    named = {"textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^",
             "textless": "<", "textgreater": ">"}  # fmt: skip
    for name, character in named.items():
        latex = latex.replace(f"\\{name}{{}}", f"\0{character}")
    latex = latex.replace(r"$\pm$", "±")
    return re.sub(r"\\([&%$#_{}])", r"\1", latex).replace("\0", "")


def test_every_format_holds_every_cell_and_note():
    cells = [str(v) for _, data in DOCUMENT.tables for row in data.values for v in row]
    page = as_html(DOCUMENT)
    assert "<b>" not in page.replace("<p><b>Table 1.", "")
    texts = [as_rich(DOCUMENT, 200), as_markdown(DOCUMENT), unescaped(as_latex(DOCUMENT))]
    texts.append(html.unescape(page))
    for text in texts:
        for wanted in (DOCUMENT.title, DOCUMENT.heading, *cells, *DOCUMENT.foot):
            assert wanted in text, wanted


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_long_note_has_one_line_on_a_terminal_and_is_whole_elsewhere(monkeypatch, is_terminal):
    monkeypatch.setattr("sys.stdout.isatty", lambda: is_terminal)
    notes = ["short", "words" * 40, "全角" * 30]  # the last takes two columns for each character
    lines = as_rich(Document("title", "heading", [], notes), 80).splitlines()
    if not is_terminal:
        assert lines[2:] == notes
        return
    lines = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in lines]
    assert lines[2] == "short" and len(lines) == 6
    assert [line[-1] for line in lines[3:5]] == ["…", "…"]
    assert all(cell_len(line) <= 80 for line in lines)
    assert lines[5] == "(notes that are cut here: 2; the report has them in full)"


def test_latex_rows_have_as_many_columns_as_their_table():
    latex = as_latex(DOCUMENT)
    for tabular in re.findall(r"\\begin{tabular}(.*?)\\end{tabular}", latex, re.DOTALL):
        # A first column with a longer text is wrapped.
        columns = re.match(r"{(l?r*)}", tabular.replace(r"p{0.3\linewidth}", "l"))[1]
        body = [line for line in tabular.splitlines() if line.endswith(r"\\")]
        assert body
        for line in body:
            assert len(re.findall(r"(?<!\\)&", line)) == len(columns) - 1
    assert latex.count(r"\begin{table}") == latex.count(r"\end{table}") == 2
    assert latex.count(r"\toprule") == latex.count(r"\bottomrule") == 2


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no pdflatex: compiled where there is one")
def test_latex_compiles(tmp_path):
    source = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n\\input{table}\n"
    (tmp_path / "table.tex").write_text(as_latex(DOCUMENT))
    (tmp_path / "main.tex").write_text(source + "\\end{document}\n")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "main.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "main.pdf").read_bytes().startswith(b"%PDF")


def test_a_terminal_shows_verdicts_in_colour_and_a_file_no_escape_codes(monkeypatch):
    document = Document("t", "h", [("", pd.DataFrame({"": ["differs / reproduced"]}))], [])
    assert "\x1b" not in as_rich(document, 80)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert "\x1b[31mdiffers\x1b[0m / \x1b[32mreproduced\x1b[0m" in as_rich(document, 80)


def test_a_table_too_wide_for_the_terminal_is_turned():
    names = [f"parameter {i}" for i in range(12)]
    data = pd.DataFrame([[f"{row}-{name[-2:]}" for name in names] for row in "abc"], columns=names)
    narrow, wide = (as_rich(Document("t", "h", [("", data)], []), width) for width in (60, 400))
    for text in (*names, *data.to_numpy().flatten()):
        assert text in narrow and text in wide
    lines = narrow.splitlines()
    for column in names:
        (line,) = [line for line in lines if line.split("  ")[0].strip() == column]
        assert [text in line for text in data[column]] == [True] * 3
    assert max(map(len, lines)) <= 60
    assert all(name in wide.splitlines()[3] for name in names)
