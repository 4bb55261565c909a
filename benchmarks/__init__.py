"""Measurements of the tool on generated repositories and the loopback forges of the tests.

`python -m benchmarks` measures the verbs beside their floor; `python -m benchmarks --help` lists the others.
"""
