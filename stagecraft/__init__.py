"""What the prose of `deploy.py` and `tasks/` stands on."""
