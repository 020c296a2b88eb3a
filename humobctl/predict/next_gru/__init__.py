"""A recurrent network of a user's last records, beside the ranker's features."""
