"""Language models: loading, questions, constrained answers."""
