"""What is in a table: one file a kind of table, each with its description."""
