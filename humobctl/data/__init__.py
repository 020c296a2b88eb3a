"""The data layer: schemas, reading and writing, importers, grid and calendar, synthetic city."""
