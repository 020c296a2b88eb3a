"""Next-location prediction: the place of a user's next record, ranked."""
