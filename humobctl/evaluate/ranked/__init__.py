"""Scores of ranked candidates against the true places."""
