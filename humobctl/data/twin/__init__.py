"""A city's double: other people in the same city, made of tables fitted on real ones."""
