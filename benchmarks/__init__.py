"""The tables against the peers: ``python -m benchmarks --help``."""
