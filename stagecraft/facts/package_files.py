"""Files of Debian packages that have changed."""

from dataclasses import dataclass

from stagecraft.facts.reading import Fact

UNNEEDED = ("/usr/share/doc/", "/usr/share/man/", "/usr/share/locale/", "/usr/share/info/")
"""Paths that minimal images leave out of their packages."""


@dataclass(frozen=True)
class PackageFile:
    """A file that differs from its package. `state` is `changed`, `missing` or `directory` (in its
    place); `origin` is the file in a package that ucf copied to this path, else empty. `package` is
    empty if dpkg's list of it lacks the path."""

    state: str
    origin: str = ""
    package: str = ""


class PackageFilesFact(Fact[dict[str, PackageFile]]):
    def process(self, output: list[str]) -> dict[str, PackageFile]:
        rows = (line.split("\t") for line in output if line.count("\t") == 3)
        return {
            path: PackageFile(state, origin, package)
            for state, path, origin, package in rows
            if not (state == "missing" and path.startswith(UNNEEDED))
        }
