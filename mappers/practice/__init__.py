"""Inbound formats, one module each: bytes to a note or to all its faults at once."""
