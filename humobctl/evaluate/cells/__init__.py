"""Scores of predicted cells: GEO-BLEU, DTW, accuracy, distance; bootstrap comparison."""
