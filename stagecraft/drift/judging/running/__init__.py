"""What runs and is not what is on disk."""
