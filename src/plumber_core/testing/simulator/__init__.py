"""A deterministic simulator that runs the product's own engine, store, link and supervisor in one thread.

``python -m plumber_core.testing.simulator 1..300`` tries that many hostile schedules; the same seed does the same
again. What is real and what is played: docs/explanation/simulation.md.
"""
