"""Scores of day plans: intent statistics against published or given ones."""
