"""The front of a search by several numbers, drawn among its trials."""

from matplotlib import pyplot as plt

from dashboards.figures.png import as_png
from dashboards.results.fronts import number_names
from dashboards.results.searches import shown_value
from tuning.search.pareto_front import pareto_front
from tuning.search.search import SearchRun


def front_figure(run: SearchRun) -> bytes:
    """Every trial by its first two numbers, the front joined, with its values.

    Args:
        run: a search by two numbers or more, with a finished trial.

    Returns:
        A PNG file.
    """
    tried, best = run.ranked(run.trials), pareto_front(run)
    figure, axis = plt.subplots(figsize=(7.2, 5.0), dpi=120)
    beaten = [t for t in tried if t not in best]
    if beaten:
        x, y, *_ = zip(*(t.numbers for t in beaten), strict=True)
        axis.scatter(x, y, color="#b0b0b0", s=24, label="beaten")
    x, y, *_ = zip(*(t.numbers for t in best), strict=True)
    axis.plot(x, y, "o-", color="#1f5fa8", linewidth=1.2, label="front")
    for trial in best:
        values = ", ".join(f"{n} {shown_value(v)}" for n, v in trial.values.items())
        first, second, *_ = trial.numbers
        axis.annotate(
            values, (first, second), xytext=(5, -10), textcoords="offset points", fontsize=7
        )
    first_name, second_name, *_ = number_names(run)
    axis.set(xlabel=first_name, ylabel=second_name)
    axis.set_title(f"{run.search.name}: {len(tried)} trials", fontsize=11)
    axis.grid(alpha=0.25)
    axis.legend(fontsize=8)
    return as_png(figure)
