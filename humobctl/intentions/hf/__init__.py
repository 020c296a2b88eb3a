"""Plans from a local transformers model, constrained to the forms."""
