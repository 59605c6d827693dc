"""Measures Plumber beside a hand-written path of the same hops, in one run: ``make bench``."""
