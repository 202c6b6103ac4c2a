"""The server of staging, from group_data/all.yml and group_data/staging.yml."""

from stagecraft.inventory import load

staging = load("staging")
