"""The subcommands of `draem` for the device, one file each: arguments in, exit code out.

Each file has `add_arguments(parser)` and `main(options)`; `arguments` holds what they share, and
`bridges` has the subcommands of `draem bridge`. `draem.py` lists all subcommands.
"""
