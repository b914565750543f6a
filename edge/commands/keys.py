"""Key pairs of a station and its clients, and the list of clients that may connect.

  draem keys make server                      the station's own pair, once
  draem keys make plc-1                       a pair for a client; give it plc-1.key and server.pub
  draem keys allow plc-1 --role bridge        accept it; roles: watch, bridge, operator
  draem keys revoke plc-1                     accept it no longer

A running line reads a changed list by itself. The role `watch` receives everything; events stay in
the log until a `bridge` has acknowledged them; an `operator` may pause the line.
"""

import argparse
from pathlib import Path
from typing import get_args

from edge.events.access_list import AllowedClient, read_allowed, write_allowed
from edge.events.cursors import Role
from edge.events.keys import KEY_NAME, STATION_KEY, KeysError, make_pair, read_public


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("make", "allow", "revoke", "list"))
    parser.add_argument("name", nargs="?", help="the owner of the key")
    parser.add_argument("--role", choices=get_args(Role), default="watch", help="(default watch)")
    parser.add_argument("--public", type=Path, metavar="FILE", help="(default: KEYS/NAME.pub)")
    parser.add_argument("--keys", type=Path, default=Path("keys"), help="folder (default keys)")


def main(options: argparse.Namespace) -> int:
    folder: Path = options.keys
    if options.action != "make" and not folder.is_dir():
        raise KeysError(f"{folder} is no folder of keys: correct --keys, or run 'draem keys make'")
    if options.action == "list":
        for name, client in read_allowed(folder).items():
            print(f"{name:<24} {client.role:<9} {client.key}")
        return 0
    if options.name is None:
        raise KeysError(f"no name given: write 'draem keys {options.action} NAME'")
    if options.action == "make":
        print(f"{make_pair(folder, options.name)}: keep it secret, give it to its owner only")
        return 0
    clients = read_allowed(folder)
    if options.action == "revoke":
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
    make = f"run 'draem keys make {options.name}', or name the client's key with --public FILE"
    key = read_public(options.public or folder / f"{options.name}.pub", make)
    return AllowedClient(role=options.role, key=key)
