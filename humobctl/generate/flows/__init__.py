"""Collective flows between areas: gravity, radiation and intervening opportunities."""
