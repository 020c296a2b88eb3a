"""Day plans from profiles, by the Theory of Planned Behaviour: what people intend to do."""
