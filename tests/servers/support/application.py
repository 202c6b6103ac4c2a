"""A git repository of the test application, with commits that are broken in each way."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from project import REPOSITORY

APP = REPOSITORY / "tests/app"

AUTHOR = ["-c", "user.name=Anna", "-c", "user.email=anna@askpro.test"]

BUILD = ["php artisan route:cache", "php artisan view:cache"]


def first(file: str, php: str) -> dict[str, str | None]:
    """The change that has the file do this before all else."""
    return {file: (APP / file).read_text().replace("<?php", f"<?php {php}", 1)}


INDEX, UNWELL = "public/index.php", "{ http_response_code(503); exit; }"

VISITED = "if (isset($_SERVER['SERVER_SOFTWARE']))"
"""Where nginx asks, and so not off traffic."""

MIGRATION = (
    "<?php\nuse Illuminate\\Database\\Migrations\\Migration;\n"
    "use Illuminate\\Support\\Facades\\DB;\n"
    "return new class extends Migration { public function up() { DB::statement('nonsense'); } };\n"
)

BROKEN: dict[str, dict[str, str | None]] = {
    "build": first("artisan", "exit(3);"),
    "migrate": {"database/migrations/2026_01_01_000000_broken.php": MIGRATION},
    "boot": first(INDEX, "syntax error"),
    "boot: unhealthy": first(INDEX, UNWELL),
    "boot: hangs": first(INDEX, "sleep(60);"),
    "health": first(INDEX, f"{VISITED} {UNWELL}"),
    "health: hangs": first(INDEX, f"{VISITED} sleep(20);"),
    "workers": first("artisan", "if (in_array('queue:work', $argv)) exit(9);"),
}
"""By the step that fails, the changes of a release that is broken in this way."""


class Application:
    """A checkout in this directory, at first with one commit on `main`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        shutil.copytree(APP, directory)
        self._git("init", "--quiet", "--initial-branch=main")
        self.commit("The application")

    def commit(self, subject: str, changes: Mapping[str, str | None] | None = None) -> str:
        """A commit with these files' contents, or without the files; its id."""
        for name, content in (changes or {}).items():
            path = self.directory / name
            if content is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content)
        self._git("add", "--all", "--force")
        self._git("commit", "--quiet", "--allow-empty", f"--message={subject}")
        return self._git("rev-parse", "HEAD")

    def branch(self, name: str, changes: Mapping[str, str | None], *, links: bool = False) -> str:
        """A branch from main with one more commit, of files or of links; the commit."""
        self._git("checkout", "--quiet", "-B", name, "main")
        if links:
            for path, target in changes.items():
                (self.directory / path).symlink_to(str(target))
        commit = self.commit(name, {} if links else changes)
        self._git("checkout", "--quiet", "main")
        return commit

    def _git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", "-C", self.directory, *AUTHOR, *words],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()
