"""What `doctor` looks at: packages, the machine, folders, and whether commands work here."""
