"""redo-connector: keeps Redo's copy of a legacy OMS's orders true."""

__version__ = "0.1.0"
