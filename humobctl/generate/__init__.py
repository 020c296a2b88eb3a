"""Places for intentions: gravity, diffusion; flows between areas."""
