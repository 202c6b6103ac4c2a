"""The nightly check: what on a server is not, or no longer, what the files say."""
