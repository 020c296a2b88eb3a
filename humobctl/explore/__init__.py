"""The map of an embedding space, in a browser: data, page, server, export."""
