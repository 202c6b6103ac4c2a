"""A team's own steps: functions in overrides/*.py that run before or after a stage of deploy.py."""

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from runpy import run_path
from traceback import extract_tb
from typing import Any

from pyinfra.api.deploy import deploy
from pyinfra.api.exceptions import PyinfraError

from stagecraft.errors import BrokenOverride
from stagecraft.manifest import OWN
from stagecraft.nearest import did_you_mean
from stagecraft.project import OVERRIDES
from stagecraft.run import this_run

Stage = Callable[..., Any]


def extend(verb: MutableMapping[str, Any]) -> None:
    """Adds a team's steps to the stages among the verb's names: functions called `before_<stage>`
    and `after_<stage>`, which get the stage's arguments. Raises BrokenOverride."""
    for file in sorted(OVERRIDES.glob("*.py")):
        stages = {name: value for name, value in verb.items() if is_stage(value)}
        for name, step in steps(file):
            moment, _, stage = name.partition("_")
            if stage not in stages:
                line, hint = step.__code__.co_firstlineno, did_you_mean(stage, sorted(stages))
                raise BrokenOverride(f"{file}:{line}: {name}: there is no stage {stage!r}{hint}")
            own = deploy(str(file))(checked(step, file))
            parts = [own, verb[stage]] if moment == "before" else [verb[stage], own]
            verb[stage] = in_sequence(parts, verb[stage])


def is_stage(value: object) -> bool:
    """Whether this is a pyinfra deploy from tasks/."""
    return hasattr(value, "_inner") and getattr(value, "__module__", "").startswith("tasks.")


def steps(file: Path) -> Iterator[tuple[str, Any]]:
    """The functions of the file whose names make them steps."""
    with naming_the_line(file, 1):
        values = run_path(str(file.resolve()), run_name=f"overrides.{file.stem}")
    for name, value in values.items():
        if name.startswith(("before_", "after_")) and hasattr(value, "__code__"):
            yield name, value


def in_sequence(parts: list[Stage], stage: Stage) -> Stage:
    """Calls both parts with the same arguments, and returns the stage's result."""

    @wraps(stage)
    def run(*arguments: Any, **options: Any) -> Any:
        results = {part: part(*arguments, **options) for part in parts}
        return results[stage]

    return run


def checked(step: Stage, file: Path) -> Stage:
    """The step, checked to name its trees such that they can be removed when it is gone."""

    @wraps(step)
    def run(*arguments: Any) -> None:
        before = set(this_run().manifest.declared)
        with naming_the_line(file, step.__code__.co_firstlineno):
            step(*arguments)
        for tree in this_run().manifest.declared.keys() - before:
            if not tree.startswith(OWN):
                raise BrokenOverride(f"{file}: {step.__name__}: call the tree {OWN}{tree}")

    return run


@contextmanager
def naming_the_line(file: Path, first: int) -> Iterator[None]:
    """Converts any exception to BrokenOverride with the line that caused it, or else the first."""
    try:
        yield
    except Exception as error:
        text = str(error) if isinstance(error, PyinfraError) else f"{type(error).__name__}: {error}"
        raise BrokenOverride(f"{file}:{line_of(error, file) or first}: {text}") from error


def line_of(error: Exception, file: Path) -> int:
    if isinstance(error, SyntaxError):
        return error.lineno or 0
    frames = reversed(extract_tb(error.__traceback__))
    return next((f.lineno or 0 for f in frames if f.filename == str(file.resolve())), 0)
