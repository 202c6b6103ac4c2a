"""The server of local, from group_data/all.yml and group_data/local.yml."""

from stagecraft.inventory import load

local = load("local")
