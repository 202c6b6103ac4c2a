"""What exists but is not declared."""
