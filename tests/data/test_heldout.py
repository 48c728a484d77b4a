"""Stripes of rows and buffers around held-out pixels, against brute force."""

import numpy as np
import pytest

from replicate.data.heldout import buffer, row_stripes, spatial_folds
from replicate.errors import ReplicationError


def by_brute_force(heldout, width, shape, mask):
    """Look from every pixel at every other one."""
    places = np.argwhere(mask)
    near = [
        not is_out and any(np.abs(place - other).max() <= width for other in places[heldout])
        for place, is_out in zip(places, heldout)
    ]
    return np.array(near, dtype=bool)


@pytest.mark.parametrize("width", [0, 1, 2, 5, 40])
@pytest.mark.parametrize("shape", [(11, 17), (1, 9), (8, 8)])
@pytest.mark.parametrize("has_blank_pixels", [False, True])
def test_a_buffer_has_the_pixels_near_held_out_ones(rng, width, shape, has_blank_pixels):
    mask = rng.random(shape) < (0.7 if has_blank_pixels else 1)
    heldout = rng.random(np.count_nonzero(mask)) < 0.1
    found = buffer(heldout, width, shape, mask if has_blank_pixels else None)
    np.testing.assert_array_equal(found, by_brute_force(heldout, width, shape, mask))


def test_the_buffer_of_one_block_is_a_square_frame():
    heldout = np.zeros((20, 30), dtype=bool)
    heldout[6:12, 18:24] = True
    frame = np.zeros_like(heldout)
    frame[4:14, 16:26] = True
    found = buffer(heldout.ravel(), 2, heldout.shape).reshape(heldout.shape)
    np.testing.assert_array_equal(found, frame & ~heldout)


def test_a_buffer_does_not_go_round_the_edge():
    heldout = np.zeros((10, 10), dtype=bool)
    heldout[0, 0] = True
    assert buffer(heldout.ravel(), 2, (10, 10)).sum() == 8


def test_a_negative_buffer_is_refused():
    with pytest.raises(ReplicationError, match="buffer: -1 pixels; choose 0 or more"):
        buffer(np.zeros(3600, dtype=bool), -1)


def test_stripes_of_the_paper_s_scan_have_twelve_rows():
    np.testing.assert_array_equal(row_stripes(), np.repeat(range(5), 12 * 60))


def test_stripes_of_rows_that_do_not_divide_differ_by_one():
    stripes = row_stripes((13, 3)).reshape(13, 3)
    assert (stripes == stripes[:, :1]).all()
    assert (np.diff(stripes[:, 0]) >= 0).all()
    assert sorted(np.bincount(stripes[:, 0])) == [2, 2, 3, 3, 3]


def test_blank_rows_are_in_no_stripe():
    mask = np.ones((12, 4), dtype=bool)
    mask[:2] = mask[5, 1] = False
    counts = np.bincount(row_stripes((12, 4), mask=mask))
    assert counts.tolist() == [8, 7, 8, 8, 8]


@pytest.mark.parametrize("n_folds", [1, 5])
def test_stripes_that_cannot_be(n_folds):
    with pytest.raises(ReplicationError, match=f"n_folds: {n_folds} of 4 rows; choose from 2 to 4"):
        row_stripes((4, 9), n_folds)


def test_blocks_of_twelve_have_five_in_every_fold():
    blocks = spatial_folds(block=12, seed=1).reshape(5, 12, 5, 12).swapaxes(1, 2).reshape(25, 144)
    assert (blocks == blocks[:, :1]).all()
    assert np.bincount(blocks[:, 0]).tolist() == [5] * 5
