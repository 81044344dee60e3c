"""Latency and throughput of the whole connector, measured from outside: `python -m benchmarks.run`."""
