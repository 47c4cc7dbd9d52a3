"""What is tuned of each system, and how it is scored: one hypermodel per file."""
