"""Scores: GEO-BLEU, DTW, accuracy, and how they are put together."""
