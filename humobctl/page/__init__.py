"""What pages of a browser share: their policy, how they are put together, the server, scripts."""
