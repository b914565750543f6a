"""Clients, brokers and lines for the tests of the PLC bridges."""
