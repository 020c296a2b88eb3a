"""The baselines of the field: the most frequent cell, overall, by slot, by weekday and slot."""
