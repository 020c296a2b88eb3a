"""The synthetic city: places, people and their days."""
