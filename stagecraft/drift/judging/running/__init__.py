"""Running state that differs from the disk."""
