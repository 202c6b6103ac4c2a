"""A lock that the kernel frees when its holder dies, so that no killed run blocks the next."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock file (made if missing) exclusively; waits for whoever holds it.

    Commands started meanwhile by `commands.run` share the lock until they end.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        os.set_inheritable(file.fileno(), True)
        yield
