"""The environments of a project: each has a file in group_data/ and an inventory of its name."""

from pathlib import Path

import click

OVERRIDES = Path("overrides")
"""A team's own templates and steps, relative to the project's directory."""


def here() -> Path:
    """The project's directory, which is the working directory. Raises click.ClickException."""
    if not Path("group_data").is_dir():
        message = "there is no group_data/ here: start it in the project's directory"
        raise click.ClickException(message)
    return Path.cwd()


def environments(root: Path) -> list[str]:
    return sorted(path.stem for path in (root / "group_data").glob("*.yml") if path.stem != "all")


def lasting(root: Path) -> list[str]:
    """Environments not on throwaway servers. Ignores mistakes in their files, which are reported
    when each is read."""
    from stagecraft.yaml_files import SettingsError, read_yaml  # pyinfra's, slow to import

    def data(name: str) -> dict[str, object]:
        try:
            return read_yaml(root / f"group_data/{name}.yml", root).data
        except SettingsError:
            return {}

    servers = data("all").get("servers")
    known = servers if isinstance(servers, dict) else {}
    throwaway = {
        name
        for name, server in known.items()
        if isinstance(server, dict) and server.get("throwaway")
    }
    return [name for name in environments(root) if data(name).get("server") not in throwaway]


def inventory(environment: str) -> Path:
    """Relative to the project's directory, for pyinfra."""
    return Path("inventories") / f"{environment}.py"
