"""One file a command: its options, then one library call, then one write."""
