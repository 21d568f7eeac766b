"""Results read from a study's store: cells, verdicts, comparisons, searches, costs. Read-only."""
