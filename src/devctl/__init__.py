"""devctl: one command brings a whole workspace up, one takes it down."""

__version__ = "0.1.0"
