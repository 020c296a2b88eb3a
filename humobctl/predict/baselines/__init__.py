"""Untrained predictors: frequency, history, Markov chain."""
