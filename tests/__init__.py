"""Tests of humobctl; they mirror the package."""

import os

# Libraries read these when they are imported: several tests run at once, and none asks the net.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
# What tests call directly has one thread too, as commands have: those of torch wait by spinning.
os.environ["HUMOBCTL_THREADS"] = "1"
