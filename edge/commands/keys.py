"""Keys for a station that other machines may reach: pairs, and the list of who is let in.

  draem keys make server                      the station's own pair, once
  draem keys make plc-1                       a pair for a client; give it plc-1.key and server.pub
  draem keys allow plc-1 --role bridge        let it in; roles: watch, bridge, operator
  draem keys strike plc-1                     let it in no longer

The line reads the list again by itself. watch sees everything, bridge also holds events back until
it has acknowledged them, operator may pause the line.
"""

import argparse
from pathlib import Path
from typing import get_args

from edge.events.cursors import Role
from edge.events.keys import (
    KEY_NAME,
    STATION_KEY,
    AllowedClient,
    KeysError,
    make_pair,
    read_allowed,
    read_public,
    write_allowed,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("make", "allow", "strike", "list"))
    parser.add_argument("name", nargs="?", help="the owner of the key")
    parser.add_argument("--role", choices=get_args(Role), default="watch", help="(default watch)")
    parser.add_argument("--public", type=Path, metavar="FILE", help="(default: KEYS/NAME.pub)")
    parser.add_argument("--keys", type=Path, default=Path("keys"), help="folder (default keys)")


def main(options: argparse.Namespace) -> int:
    folder: Path = options.keys
    if options.action == "list":
        for name, client in read_allowed(folder).items():
            print(f"{name:<24} {client.role:<9} {client.key}")
        return 0
    if options.name is None:
        raise KeysError(f"whose key? Write 'draem keys {options.action} NAME'")
    if options.action == "make":
        print(f"{make_pair(folder, options.name)} is for its owner alone")
        return 0
    clients = read_allowed(folder)
    if options.action == "strike":
        if clients.pop(options.name, None) is None:
            raise KeysError(f"'{options.name}' is not listed: see 'draem keys list'")
    else:
        clients[options.name] = allowed(folder, options)
    write_allowed(folder, clients)
    return 0


def allowed(folder: Path, options: argparse.Namespace) -> AllowedClient:
    """The new entry. Raises KeysError."""
    if options.name == STATION_KEY:
        raise KeysError("the station's own key needs no entry: name a client")
    if not KEY_NAME.fullmatch(options.name):
        raise KeysError(f"'{options.name}' cannot be a key's name: use letters, digits, - and _")
    key = read_public(options.public or folder / f"{options.name}.pub")
    return AllowedClient(role=options.role, key=key)
