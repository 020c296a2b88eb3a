"""Scores of generated visits: the JSD family, privacy, flows between cells."""
