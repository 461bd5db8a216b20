"""The day begins: what the remotes have is fetched while services start, and a branch is brought forward."""
