"""Frames of a figure in which little moves, and the files made of them: GIF, and MP4 where there is ffmpeg."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import subprocess

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from replicate.errors import ReplicationError
from replicate.files import atomic_path

DPI = 120
WHITE = 255
"""Its number in the palette of a GIF; all before it are for other colours."""


def frames(fig, moves, order):
    """Yield a picture of a figure, (height, width, 3) bytes, for each number in `order`; what does not move is drawn once.

    Parameters
    ----------
    fig : Figure
        Its moving artists are ``animated``.
    moves : sequence of callable
        Each takes a number, changes its artists and returns them in the order in which they are drawn.
    order : iterable of int
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


def write_gif(path, pictures, rate):
    """Write pictures, `rate` a second, as an endless GIF, all in one palette, so that what is still does not flicker."""
    sample = np.concatenate(pictures[:: len(pictures) // 4 or 1])
    palette = Image.fromarray(sample).quantize(WHITE, method=Image.Quantize.MAXCOVERAGE)
    colours = palette.getpalette()[: 3 * WHITE]
    palette.putpalette(colours + [255] * (3 * (WHITE + 1) - len(colours)))
    first, *rest = (_indexed(picture, palette) for picture in pictures)
    with atomic_path(path) as temporary:
        first.save(temporary, save_all=True, append_images=rest, duration=1000 // rate, loop=0)


def _indexed(picture, palette):
    """Return a picture in the colours of a palette; white, which is most of it, stays white."""
    image = Image.fromarray(picture).quantize(palette=palette, dither=Image.Dither.NONE)
    image.paste(
        WHITE, mask=Image.fromarray(np.where((picture == 255).all(axis=2), 255, 0).astype(np.uint8))
    )
    return image


def find_ffmpeg():
    """Return the path of ffmpeg, from the PATH or from the package imageio-ffmpeg, or None."""
    found = shutil.which("ffmpeg")
    if found is None and importlib.util.find_spec("imageio_ffmpeg"):
        from imageio_ffmpeg import get_ffmpeg_exe

        # The package has none for some platforms.
        with contextlib.suppress(RuntimeError):
            found = get_ffmpeg_exe()
    return found


def write_mp4(path, pictures, ffmpeg, rate):
    """Write pictures, `rate` a second, as H.264 that any player shows.

    Raises
    ------
    ReplicationError
        If ffmpeg fails.
    """
    height, width = pictures[0].shape[:2]
    source = [
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-s",
        f"{width}x{height}",
        "-r",
        str(rate),
        "-i",
        "-",
    ]
    look = ["-c:v", "libx264", "-crf", "20", "-pix_fmt", "yuv420p", "-movflags", "+faststart"]
    # One thread and no version: the same pictures give the same file.
    same = ["-threads", "1", "-flags", "+bitexact", "-fflags", "+bitexact", "-map_metadata", "-1"]
    with atomic_path(path) as temporary:
        command = [ffmpeg, "-y", "-loglevel", "error", *source, *look, *same, str(temporary)]
        done = subprocess.run(
            command, input=b"".join(picture.tobytes() for picture in pictures), capture_output=True
        )
        if done.returncode:
            lines = done.stderr.decode(errors="replace").strip().splitlines() or [
                f"exit code {done.returncode}"
            ]
            raise ReplicationError(
                f"{path}: {ffmpeg} failed ({lines[-1]}). Install another, e.g. `pip install imageio-ffmpeg`."
            )
