"""The command."""

import gc

# A command lives for a moment and makes its objects while importing: looking for garbage then only costs time.
gc.set_threshold(100_000, 50, 50)
