"""TCP ports of this machine: is one free, who holds it, may it be freed, and freeing it."""
