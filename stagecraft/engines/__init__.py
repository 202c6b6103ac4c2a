"""The database engines, by the names that all.yml gives them."""

from typing import Literal

from stagecraft.engines.engine import Engine
from stagecraft.engines.mariadb import MARIADB
from stagecraft.engines.mysql import MYSQL

EngineName = Literal["mariadb", "mysql"]

ENGINES: dict[str, Engine] = {engine.name: engine for engine in (MARIADB, MYSQL)}

__all__ = ["ENGINES", "Engine", "EngineName"]
