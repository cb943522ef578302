"""Every measurement of the course, one after the other: `make bench` or `python -m bench`."""

from bench import scrubbing


def main() -> None:
    """Run all benchmarks; each prints its table and writes its data file."""
    scrubbing.main()


if __name__ == "__main__":
    main()
