"""A first-order Markov chain over a user's cells."""
