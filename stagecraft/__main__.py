"""The `stagecraft` command: .venv/bin/stagecraft, or python -m stagecraft."""

from stagecraft.program import start


def main() -> None:
    start("stagecraft.command")


if __name__ == "__main__":
    main()
