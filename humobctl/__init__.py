"""humobctl: a command line toolkit for the whole life of human mobility data."""

__version__ = "0.1.0"
