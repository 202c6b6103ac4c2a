"""How long a run takes, and what it is compared with: `make bench`."""
