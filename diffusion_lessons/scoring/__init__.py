"""How good generated pictures are, by judges that only measure: no loss, no choice of weights.

tables       scores of a set of pictures, for postcards and for clothes
recognition  the attributes of a postcard, recognised by a network
factors      the height of the horizon and the place of the sun, which no caption names
clothes      pictures of clothes, in the features of a classifier
statistics   shares with their uncertainty, distances between sets, nearest pictures
networks     how networks that look at pictures are built, loaded and asked
"""

from .tables import asked, follows, matches, round_trips, score, takes_over, there_and_back

__all__ = [
    "asked", "follows", "matches", "round_trips", "score", "takes_over", "there_and_back",
]  # fmt: skip
