"""Keep and search what one or many stations have inspected.

'draem archive run' collects from running stations, gaplessly, into a database: events, and the
frames that the stations keep. The others search it. A query is words such as product=lid verdict=NG
since=yesterday; 'draem archive find --help' lists them.
"""

import argparse

from edge.commands.archives import find, kinds, label, run, statistics, verify

ACTIONS = {
    "run": run,
    "find": find,
    "statistics": statistics,
    "label": label,
    "kinds": kinds,
    "verify": verify,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", title="actions")
    for name, action in ACTIONS.items():
        text = (action.__doc__ or "").strip()
        first = text.splitlines()[0].rstrip(".")
        one = actions.add_parser(
            name,
            help=first[0].lower() + first[1:],
            description=text,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        action.add_arguments(one)


def main(options: argparse.Namespace) -> int:
    code: int = ACTIONS[options.action].main(options)
    return code
