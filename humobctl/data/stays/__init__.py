"""Stays, locations, homes and works from points."""
