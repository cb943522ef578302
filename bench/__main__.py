"""Every measurement of the course, one after the other: `make bench` or `python -m bench`."""

from bench import fashion, growth, live_training, memory, predictions, samplers, scrubbing


def main() -> None:
    """Run all benchmarks; each prints its table and writes its data file."""
    scrubbing.main()
    memory.main()
    live_training.main()
    predictions.main()
    samplers.main()
    fashion.main([])
    growth.main()


if __name__ == "__main__":
    main()
