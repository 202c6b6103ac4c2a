"""What a process prints, line by line."""

import os
import select
import subprocess
from collections.abc import Callable, Iterator
from typing import IO

LONGEST = 65536
"""Bytes of a line."""


def lines(
    process: subprocess.Popen[bytes], *streams: IO[bytes] | None, watch: Callable[[], None]
) -> Iterator[tuple[bytes, int]]:
    """Each line, as it comes, with the descriptor of the stream it is of; a very long one in parts.
    Ends with the process: another one may keep its ends of the pipes open. Calls `watch` all the
    while."""
    rest = {stream.fileno(): b"" for stream in streams if stream}
    while rest:
        watch()
        ended = process.poll() is not None
        ready = select.select(list(rest), [], [], 0 if ended else 0.05)[0]
        for stream in ready:
            chunk = os.read(stream, LONGEST)
            *whole, left = (rest.pop(stream) + chunk).split(b"\n")
            yield from ((line + b"\n", stream) for line in whole)
            if left and (not chunk or len(left) > LONGEST):
                yield left, stream
                left = b""
            if chunk:
                rest[stream] = left
        if ended and not ready:
            yield from ((left, stream) for stream, left in rest.items() if left)
            return
