"""The library: what ``import humobctl`` offers, a file a room; commands are made of the same."""
