"""Asking: a pyinfra for each inventory, and in it the checkout and the server."""
