"""Every measurement of the course, one after the other: `make bench` or `python -m bench`."""

from bench import (
    builds,
    fashion,
    growth,
    guidance,
    lesson_times,
    live_slider,
    live_training,
    memory,
    predictions,
    samplers,
    scrubbing,
    text_to_image,
)


def main() -> None:
    """Run all benchmarks; each prints its table and writes its data file."""
    scrubbing.main()
    memory.main()
    lesson_times.main()
    live_training.main()
    predictions.main()
    samplers.main()
    fashion.main([])
    growth.main()
    guidance.main()
    text_to_image.main()
    builds.main()
    live_slider.main()


if __name__ == "__main__":
    main()
