"""Add, change, remove and list the accounts of the web page.

Passwords are asked for, or read from the first line of the standard input.

  draem account add maria --role engineer
  draem account password maria
  draem account role maria administrator
  draem account remove maria
  draem account list
"""

import argparse
import getpass
import sys

from edge.archive.audit import Change
from edge.archive.database import open_database
from edge.base.person import here
from edge.commands.archives.shared import add_archive, opened
from edge.commands.arguments import add_person
from edge.commands.web import WEB
from edge.web.accounts.accounts import Accounts
from edge.web.accounts.database import AccountsError
from edge.web.accounts.roles import Role

ROLES = [role.word for role in Role]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", title="actions")
    for name, text in (
        ("add", "a new account"),
        ("password", "another password; ends the account's sessions"),
        ("role", "another role; ends the account's sessions"),
        ("remove", "remove an account"),
        ("list", "all accounts with their roles"),
    ):
        one = actions.add_parser(name, help=text, description=text)
        if name == "list":
            continue
        one.add_argument("name", metavar="NAME")
        if name == "add":
            one.add_argument("--role", choices=ROLES, default="viewer", help="default: viewer")
        if name == "role":
            one.add_argument("role", choices=ROLES)
        add_person(one)
        add_archive(one)


def main(options: argparse.Namespace) -> int:
    with Accounts(WEB / "accounts.db") as accounts:
        if options.action == "list":
            for one in accounts.all():
                print(f"{one.name:<24} {one.role.word}")
            return 0
        password = _password() if options.action in ("add", "password") else ""
        role = Role.of(options.role) if "role" in options else None
        new = role.word if role else ""
        change = Change(
            options.who,
            here(),
            f"account {options.action}",
            options.name,
            new=new,
            reason=options.reason,
        )
        open_database(options.database, create=True).dispose()
        with opened(options) as archive, archive.audit.recorded(change):
            if options.action == "add":
                accounts.add(options.name, password, role or Role.VIEWER)
            elif options.action == "remove":
                accounts.remove(options.name)
            else:
                accounts.change(options.name, role=role, password=password or None)
    return 0


def _password() -> str:
    """From a person twice, or from a program once. Raises AccountsError."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass("password: ")
    if first != getpass.getpass("again: "):
        raise AccountsError("the two passwords differ: try again")
    return first
