"""Scores of user embeddings: re-identification and linear probes."""
