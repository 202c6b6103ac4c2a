"""What is there and nobody declared."""
