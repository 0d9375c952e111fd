"""``bin/chaos COMMAND …``"""

import sys
from importlib import import_module

COMMANDS = {
    "faults": "every fault a machine, a carrier or a mail service can commit, while messages go out",
    "races": "two things at the same moment, in both orders",
}


def main(arguments: list[str]) -> int:
    command = arguments[0] if arguments else ""
    if command not in COMMANDS:
        print("bin/chaos COMMAND [--help]\n")
        print("\n".join(f"  {name:8}{what}" for name, what in COMMANDS.items()))
        return 0 if command in {"-h", "--help"} else 2
    return import_module(f"tests.chaos.{command}").main(arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
