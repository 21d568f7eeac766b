"""The engine: store, stages, planner, searches, Ray Tune trainable and runner, projections.

The engine contains nothing about a particular paper or table. It runs the jobs that a
`tuning.study.Study` describes.
"""
