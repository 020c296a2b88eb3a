"""Predictors of masked cells: one folder a model, and what they share."""
