"""How a run talks to a server: pyinfra's SSH connector, made fast. docs/performance.md says why."""
