"""The embedded planner: the Theory of Planned Behaviour as a calibrated semi-Markov model."""
