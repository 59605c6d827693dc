"""Adding a server with one line: a script that is the same for everybody, and the agent as wheels."""
