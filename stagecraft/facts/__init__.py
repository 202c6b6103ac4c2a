"""Facts: what is on the server, each read with one command, each true on a bare server too."""
