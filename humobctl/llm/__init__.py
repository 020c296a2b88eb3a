"""Language models: loading, questions, constrained answers."""

import os

# Kernels that transformers would fetch from a hub are code of others.
os.environ["USE_HUB_KERNELS"] = "NO"
