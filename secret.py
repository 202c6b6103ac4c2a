"""Creates and changes an environment's secrets, encrypted in secrets/<environment>.yml.

  secret.py staging                          make what is missing, ask for what only you know
  secret.py staging askpro RETELL_API_KEY    set one: asked for, or from standard input
  secret.py production askpro APP_KEY < key  keep the key of an application that runs already
  secret.py staging askpro DB_PASSWORD --generate    a new random one
  secret.py staging --recrypt                after a change of recipients in group_data/all.yml

Values are never shown, and never taken from the command line: other users could read it there.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from getpass import getpass

from stagecraft.secrets import Secret
from stagecraft.secrets.edit import Editor
from stagecraft.secrets.generate import generate
from stagecraft.settings import SettingsError


def main() -> int:
    arguments = _arguments()
    try:
        return _edit(arguments)
    except SettingsError as error:
        print(f"secret.py: {error}", file=sys.stderr)
        return 1


def _edit(arguments: Namespace) -> int:
    editor = Editor(arguments.environment)
    if arguments.recrypt:
        editor.recrypt()
    elif arguments.key:
        editor.put(arguments.site, arguments.key, _value(arguments))
    else:
        for line in editor.add_missing(_ask):
            print(line)
    print(editor.state())
    return 1 if editor.missing() and not arguments.key else 0


def _value(arguments: Namespace) -> Secret:
    if arguments.generate:
        return generate(arguments.key)
    if sys.stdin.isatty():
        return Secret(getpass(f"{arguments.site} {arguments.key}: "))
    return Secret(sys.stdin.read().removesuffix("\n"))


def _ask(site: str, key: str) -> Secret | None:
    if not sys.stdin.isatty():
        return None
    answer = getpass(f"{site} {key} (Enter leaves it out for now): ")
    return Secret(answer) if answer else None


def _arguments() -> Namespace:
    parser = ArgumentParser(
        prog="secret.py", description=__doc__, formatter_class=RawDescriptionHelpFormatter
    )
    parser.add_argument("environment", help="as in group_data/<environment>.yml")
    parser.add_argument("site", nargs="?", help="as below `sites:` there")
    parser.add_argument("key", nargs="?", help="like RETELL_API_KEY")
    parser.add_argument("--generate", action="store_true", help="a random value, not asked for")
    parser.add_argument("--recrypt", action="store_true", help="encrypt all values anew")
    arguments = parser.parse_args()
    if bool(arguments.site) != bool(arguments.key):
        parser.error("a site and a key go together: secret.py staging askpro RETELL_API_KEY")
    if arguments.generate and not arguments.key:
        parser.error("--generate needs a site and a key")
    if arguments.recrypt and arguments.key:
        parser.error("--recrypt takes all secrets: no site, no key")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
