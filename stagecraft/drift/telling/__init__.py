"""Reports: as text, as notifications, and in the history."""
