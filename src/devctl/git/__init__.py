"""What git knows of the workspace."""
