"""Daily flows: the file of HuMob 2026, and reading of any flow series day by day."""
