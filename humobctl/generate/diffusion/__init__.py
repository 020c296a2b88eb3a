"""Days as time series of points, learnt by diffusion or flow matching."""
