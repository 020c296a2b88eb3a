"""Scores of predicted daily flows: Combined NRMSE of HuMob 2026, by day and by recovery."""
