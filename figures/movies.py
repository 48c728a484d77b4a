"""Movies S1 to S6, as GIF and MP4, from stored runs: each latent swept over its range, and the maps of every latent while beta rises."""

from __future__ import annotations

import sys

from tqdm import tqdm

from figures.movie import film, ramp_movie, sweep_movie
from figures.movie.subjects import SUBJECTS
from figures.shared import common, style
from replicate.errors import ReplicationError

MOVIES = {
    "movie_s1": (sweep_movie, "toy", "dictionary_learning"),
    "movie_s2": (ramp_movie, "toy", "lstm_vae"),
    "movie_s3": (sweep_movie, "toy", "lstm_vae"),
    "movie_s4": (sweep_movie, "beps", "dictionary_learning"),
    "movie_s5": (ramp_movie, "beps", "lstm_vae"),
    "movie_s6": (sweep_movie, "beps", "lstm_vae"),
}
"""Kind, data set and model of each, numbered as in the paper."""


def pictures(name, results, profile, seed=0):
    """Return the frames of a movie.

    Raises
    ------
    ReplicationError
        If its run is not complete, or lacks what the movie shows.
    """
    kind, dataset, model = MOVIES[name]
    loaded, provenance = common.load(results, profile, dataset, seed, models=(model,))
    fig, moves, order = kind.draw(loaded[model], SUBJECTS[dataset](loaded[model]), model)
    style.stamp(fig, provenance.values(), profile, seed)
    return list(film.frames(fig, moves, tqdm(order, name, disable=None)))


def write(name, results, profile, seed=0):
    """Make a movie and return the paths of its files."""
    made, ffmpeg, stem = (
        pictures(name, results, profile, seed),
        film.find_ffmpeg(),
        common.folder(results, profile) / name,
    )
    rate = MOVIES[name][0].RATE
    paths = [stem.with_suffix(".gif")]
    film.write_gif(paths[0], made, rate)
    if ffmpeg is None:
        print(
            f"{name}: no MP4, for want of ffmpeg. Put it on the PATH, or `pip install imageio-ffmpeg`.",
            file=sys.stderr,
        )
        return paths
    paths.append(stem.with_suffix(".mp4"))
    film.write_mp4(paths[1], made, ffmpeg, rate)
    return paths


def main(argv=None):
    """Run the command line; a movie that cannot be made does not keep the others from it."""
    parser = common.parser(__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(MOVIES)}; all where none is named"
    )
    options = parser.parse_args(argv)
    code = 0
    for name in options.names or MOVIES:
        try:
            if name not in MOVIES:
                raise ReplicationError(f"{name}: no such movie. There are {', '.join(MOVIES)}.")
            print(
                *write(name, options.results, options.profile, options.seed), sep="\n", flush=True
            )
        except ReplicationError as error:
            print(f"error: {error}", file=sys.stderr)
            code = 2
    return code


if __name__ == "__main__":
    sys.exit(main())
