"""Bytes and files: reading, writing, streams, locks, limits."""
