"""What the prose of `deploy.py` and `tasks/` stands on."""

from stagecraft.program import ready_streams

ready_streams()  # before any package is loaded: pyinfra asks whether they are terminals
