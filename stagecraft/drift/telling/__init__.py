"""Saying it: as text, to those who are to be notified, and in the history."""
