"""Frames of a figure in which little moves, and the files made of them.

The files are a GIF, and an MP4 where there is ffmpeg.
"""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from replicate.errors import ReplicationError
from replicate.files import atomic_path

#: The resolution of the frames, in pixels an inch.
DPI = 120

#: The number of white in the palette of a GIF; all numbers before it are for other colours.
WHITE = 255


def frames(
    fig: Figure, moves: Sequence[Callable[[int], Sequence[Artist]]], order: Iterable[int]
) -> Iterator[np.ndarray]:
    """Yield a picture of a figure for each number in `order`; what does not move is drawn once.

    Parameters
    ----------
    fig : Figure
        Its moving artists are ``animated``.
    moves : sequence of callable
        Each takes a number, changes its artists and returns them in the order in which they are
        drawn.
    order : iterable of int

    Yields
    ------
    ndarray of uint8, shape (height, width, 3)
    """
    fig.set_dpi(DPI)
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    still = canvas.copy_from_bbox(fig.bbox)
    for number in order:
        canvas.restore_region(still)
        for move in moves:
            for artist in move(number):
                artist.axes.draw_artist(artist)
        frame = np.asarray(canvas.buffer_rgba())[..., :3]
        # H.264 halves the resolution of the colours, so it wants even sizes.
        height, width = (n // 2 * 2 for n in frame.shape[:2])
        yield frame[:height, :width].copy()


def write_gif(path: Path, pictures: Sequence[np.ndarray], rate: int) -> None:
    """Write pictures as an endless GIF, all in one palette, so that what is still does not flicker.

    Parameters
    ----------
    path : Path
    pictures : sequence of ndarray of uint8, each of shape (height, width, 3)
    rate : int
        Pictures a second.
    """
    sample = np.concatenate(pictures[:: len(pictures) // 4 or 1])
    palette = Image.fromarray(sample).quantize(WHITE, method=Image.Quantize.MAXCOVERAGE)
    colours = palette.getpalette()[: 3 * WHITE]
    n_unused = 3 * (WHITE + 1) - len(colours)
    palette.putpalette(colours + [255] * n_unused)
    first, *rest = (_indexed(picture, palette) for picture in pictures)
    with atomic_path(path) as temporary:
        first.save(temporary, save_all=True, append_images=rest, duration=1000 // rate, loop=0)


def _indexed(picture: np.ndarray, palette: Image.Image) -> Image.Image:
    """Return a picture in the colours of a palette; white, which is most of it, stays white."""
    image = Image.fromarray(picture).quantize(palette=palette, dither=Image.Dither.NONE)
    is_white = (picture == 255).all(axis=2)
    image.paste(WHITE, mask=Image.fromarray(np.where(is_white, 255, 0).astype(np.uint8)))
    return image


def find_ffmpeg() -> str | None:
    """Return the path of ffmpeg, from the PATH or from the package imageio-ffmpeg, or None."""
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None and importlib.util.find_spec("imageio_ffmpeg"):
        from imageio_ffmpeg import get_ffmpeg_exe

        # The package has none for some platforms.
        with contextlib.suppress(RuntimeError):
            ffmpeg = get_ffmpeg_exe()
    return ffmpeg


def write_mp4(path: Path, pictures: Sequence[np.ndarray], ffmpeg: str, rate: int) -> None:
    """Write pictures as H.264 that any player shows.

    Parameters
    ----------
    path : Path
    pictures : sequence of ndarray of uint8, each of shape (height, width, 3)
    ffmpeg : str
        The path of ffmpeg.
    rate : int
        Pictures a second.

    Raises
    ------
    ReplicationError
        If ffmpeg fails.
    """
    height, width = pictures[0].shape[:2]
    pixels = ["-f", "rawvideo", "-pix_fmt", "rgb24"]
    source = [*pixels, "-s", f"{width}x{height}", "-r", str(rate), "-i", "-"]
    look = ["-c:v", "libx264", "-crf", "20", "-pix_fmt", "yuv420p", "-movflags", "+faststart"]
    # One thread and no version: the same pictures give the same file.
    same = ["-threads", "1", "-flags", "+bitexact", "-fflags", "+bitexact", "-map_metadata", "-1"]
    with atomic_path(path) as temporary:
        command = [ffmpeg, "-y", "-loglevel", "error", *source, *look, *same, str(temporary)]
        content = b"".join(picture.tobytes() for picture in pictures)
        done = subprocess.run(command, input=content, capture_output=True)
        if done.returncode:
            lines = done.stderr.decode(errors="replace").strip().splitlines()
            reason = lines[-1] if lines else f"exit code {done.returncode}"
            raise ReplicationError(
                f"{path}: {ffmpeg} failed ({reason}). "
                "Install another, e.g. `pip install imageio-ffmpeg`."
            )
