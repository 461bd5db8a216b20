"""Folders carried over one way, so that nothing of the target's own is ever lost."""
