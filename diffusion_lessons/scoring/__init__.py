"""How good made pictures are, by judges that only measure: no loss and no choice of weights.

tables       scores of a set of pictures, for postcards and for clothes
recognition  what a postcard shows, read by a network
factors      what no caption names: horizon, sun
clothes      pictures of clothes, in the features of a classifier
statistics   shares with their uncertainty, distances between sets, what looks like a copy
networks     the networks that look
"""

from .tables import asked, follows, matches, round_trips, score, there_and_back

__all__ = ["asked", "follows", "matches", "round_trips", "score", "there_and_back"]
