"""The library behind `deploy.py` and `tasks/`."""

from stagecraft.program import ready_streams

ready_streams()  # before pyinfra is imported, which checks whether they are terminals
