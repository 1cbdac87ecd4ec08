"""The figures that this project holds itself to, measured beside a naive loop. See docs/benchmarks.md."""
