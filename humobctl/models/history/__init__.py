"""A user's past cells, weighted by kernels over time of day, recency, weekday and day type."""
