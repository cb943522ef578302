"""Every measurement of the course, one after the other: `make bench` or `python -m bench`."""

from importlib import import_module

MEASUREMENTS = """scrubbing memory lesson_times live_training predictions copying samplers fashion
growth guidance steering ip_adapter controlnet flow captions taste turbo cascade autoregressive
text_to_image builds processes live_slider steering_sliders page""".split()


def main() -> None:
    """Run all benchmarks; each prints its table and writes its data file."""
    for name in MEASUREMENTS:
        import_module(f"bench.{name}").main()


if __name__ == "__main__":
    main()
