"""What a study's store says: cells, verdicts, comparisons, searches, costs. Writes nothing."""
