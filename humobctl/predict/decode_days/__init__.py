"""Day-level decoding: whole days by minimum Bayes risk, for any model."""
