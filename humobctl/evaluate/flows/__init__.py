"""Scores of flow tables: common part of commuters, RMSE and others."""
