"""Full-size measurements; each writes a data file under data/bench that the lessons read."""
