"""What people see: messages, progress, safe text, interrupts."""
