"""Places that people go to: what other data sets say of them, and the intent that each serves."""
