"""The pictures of README and docs, drawn anew by ``make pictures``."""
