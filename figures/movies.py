"""Movies S1 to S6, as GIF and MP4, from stored runs.

Each latent swept over its range, and the maps of every latent while beta rises.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from figures.movie import film, ramp_movie, sweep_movie
from figures.movie.subjects import SUBJECTS
from figures.shared import common, style
from replicate.commands import command
from replicate.errors import ReplicationError


class Movie(NamedTuple):
    """The module that draws a movie, and the data set and the model of its run."""

    kind: ModuleType
    dataset: str
    model: str


#: The movies by the name of their files, which are numbered as in the paper.
MOVIES = {
    "movie_s1": Movie(sweep_movie, "toy", "dictionary_learning"),
    "movie_s2": Movie(ramp_movie, "toy", "lstm_vae"),
    "movie_s3": Movie(sweep_movie, "toy", "lstm_vae"),
    "movie_s4": Movie(sweep_movie, "beps", "dictionary_learning"),
    "movie_s5": Movie(ramp_movie, "beps", "lstm_vae"),
    "movie_s6": Movie(sweep_movie, "beps", "lstm_vae"),
}


def pictures(name: str, results: Path, profile: str, seed: int = 0) -> list[np.ndarray]:
    """Return the frames of a movie, each of shape (height, width, 3).

    Raises
    ------
    ReplicationError
        If its run is not complete, or lacks what the movie shows.
    """
    movie = MOVIES[name]
    runs, provenance = common.load(results, profile, movie.dataset, seed, models=(movie.model,))
    run = runs[movie.model]
    subject = SUBJECTS[movie.dataset](run)
    fig, moves, order = movie.kind.draw(run, subject, movie.model)
    style.stamp(fig, provenance.values(), profile, seed)
    return list(film.frames(fig, moves, tqdm(order, name, disable=None)))


def write(name: str, results: Path, profile: str, seed: int = 0) -> list[Path]:
    """Make a movie and return the paths of its files; without ffmpeg there is no MP4."""
    frames = pictures(name, results, profile, seed)
    rate = MOVIES[name].kind.RATE
    gif = common.folder(results, profile) / f"{name}.gif"
    film.write_gif(gif, frames, rate)
    ffmpeg = film.find_ffmpeg()
    if ffmpeg is None:
        print(
            f"{name}: no MP4, for want of ffmpeg. "
            "Put it on the PATH, or `pip install imageio-ffmpeg`.",
            file=sys.stderr,
        )
        return [gif]
    mp4 = gif.with_suffix(".mp4")
    film.write_mp4(mp4, frames, ffmpeg, rate)
    return [gif, mp4]


@command()
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; a movie that cannot be made does not keep the others from it."""
    parser = common.parser(__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"of {', '.join(MOVIES)}; all where none is named",
    )
    options = parser.parse_args(argv)
    code = 0
    for name in options.names or MOVIES:
        try:
            if name not in MOVIES:
                raise ReplicationError(f"{name}: no such movie. There are {', '.join(MOVIES)}.")
            paths = write(name, options.results, options.profile, options.seed)
            print(*paths, sep="\n", flush=True)
        except ReplicationError as error:
            print(f"error: {error}", file=sys.stderr)
            code = 2
    return code


if __name__ == "__main__":
    sys.exit(main())
