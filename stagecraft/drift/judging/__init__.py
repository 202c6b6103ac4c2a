"""Turns answers into findings: severity, cause, since when, and remedy."""
