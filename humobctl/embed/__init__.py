"""One vector a user: places and times of a trajectory through attention and an LSTM."""
