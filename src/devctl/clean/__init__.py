"""What may be tidied away, and nothing else: artefacts, caches, what a project left in the Docker engine."""
