"""The server of production, from group_data/all.yml and group_data/production.yml."""

from stagecraft.inventory import load

production = load("production")
