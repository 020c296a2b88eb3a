"""What all pictures share: their files, their look and the panels that several of them have."""
