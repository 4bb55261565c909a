"""The verbs of the command line, one a module: its options, its help and the call of its command.

Each module has a click command named `command`. It imports click and `cli` alone; the rest waits until the verb runs.
"""
