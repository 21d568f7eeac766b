"""Running searches: their state, their proposals and their Pareto fronts."""
