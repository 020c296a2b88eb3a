"""Schemas and vocabulary of all tables: grid, calendar, intents, coordinates."""
