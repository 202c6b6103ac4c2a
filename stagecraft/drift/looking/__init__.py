"""Asking: one pyinfra per inventory, and in it the checkout and the server."""
