"""Turns a fresh clone into a team's own."""
