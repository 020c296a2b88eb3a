"""Client of OpenAI-compatible servers: requests, capabilities, journal, budget."""
