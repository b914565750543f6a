"""Each wire of `draem bridge` in this process, for the one state machine of the gate.

An adapter has the wire's real mapping at one end, and at the other what a PLC's program knows of it
from docs/plc/: addresses, names, numbers. Sockets are left out.
"""
