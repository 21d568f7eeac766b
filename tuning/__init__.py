"""The engine: store, stages, planner, searches, Ray Tune trainable and runner, projections.

Knows no paper and no table: it is given a `tuning.study.Study` and fills it.
"""
