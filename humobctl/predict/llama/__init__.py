"""Language models that predict cells and plan days: records, LoRA, constrained answers."""
