"""What all trained models share: training folder, loop, processes, devices, model dir."""
