"""What verbs share: it reads from git and the forge, and acts on them. `core` decides."""
