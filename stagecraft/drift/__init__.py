"""The nightly check: what on a server is not, or no longer, what the files say."""

from pathlib import Path

CHECK = Path(__file__).with_name("check.py")
"""What pyinfra runs for `stagecraft drift`."""
