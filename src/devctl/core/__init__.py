"""The decisions, pure: no clock, no file, no process, no screen. Time comes in as ``now``."""
