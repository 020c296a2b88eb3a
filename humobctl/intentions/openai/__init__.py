"""Plans from any server that speaks OpenAI's chat completions."""
