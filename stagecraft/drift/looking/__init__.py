"""Reads inventories, the plan and the server, with a pyinfra for each inventory."""
