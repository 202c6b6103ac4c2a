"""Facts: the server's state, each read with one command that also works on a bare server."""
