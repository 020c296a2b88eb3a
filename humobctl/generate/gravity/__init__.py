"""Places for intentions by laws of mobility: gravity, radiation, opportunities, EPR."""
