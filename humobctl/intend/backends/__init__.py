"""What makes day plans: the planner, servers and local language models."""
