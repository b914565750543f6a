"""One file per PLC protocol: how results and commands are laid out on its wire."""
