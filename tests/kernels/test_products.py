"""Products of matrices: the numbers of the definition, the same bits in each way, and each block once."""

from itertools import product

import numpy as np
import pytest

from scratchgen.kernels import panels, plans, products, queue

pytest_plugins = ["helpers.threads"]
pytestmark = pytest.mark.skipif(not queue.FUTEX, reason="there are no helpers on this system")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "shape",
    [(3, 3, 3), (1, 5, 1), (7, 300, 33), (4, 0, 5), (130, 257, 99), (400, 9, 30), (30, 128, 500)],
)
def test_product_is_that_of_the_definition(use, small_blocks, rng, dtype, shape):
    """For each layout of both factors, with and without a bias, and added to what was there."""
    use(2)
    rows, depth, columns = shape
    sizes = (rows, depth), (depth, columns), (columns,), (rows, columns)
    a, b, bias, before = (rng.standard_normal(size).astype(dtype) for size in sizes)
    exact = a.astype(np.float64) @ b.astype(np.float64)
    tolerance = (2e-6 if dtype == np.float32 else 2e-15) * max(1, depth)
    wide_a, wide_b = np.zeros((rows, 2 * depth), dtype), np.zeros((depth, columns + 3), dtype)
    wide_a[:, ::2], wide_b[:, 1:-2] = a, b
    for left in (a, np.asfortranarray(a), wide_a[:, ::2]):
        for right in (b, np.asfortranarray(b), wide_b[:, 1:-2]):
            for kwargs, expected in (
                ({}, exact), ({"bias": bias}, exact + bias), ({"add": True}, exact + before),
            ):
                out = np.empty((rows, columns + 1), dtype)
                out[:, :columns], out[:, columns] = before if kwargs.get("add") else np.nan, 7
                products.matmul(left, right, out[:, :columns], **kwargs)
                np.testing.assert_allclose(out[:, :columns], expected, rtol=0, atol=tolerance)
                assert (out[:, columns] == 7).all(), "expected nothing to be written beside the output"


def test_bits_of_a_product_do_not_depend_on_its_blocks_and_other_rows(use, rng, change):
    a, b = (rng.standard_normal(size).astype(np.float32) for size in ((150, 700), (700, 90)))
    found = []
    for number, work, transposed in ((1, 3 << 20, False), (2, 1000, False), (3, 1 << 16, True)):
        use(number)
        change("WORK", work)
        out = np.empty((150, 90), np.float32)
        products.matmul(a, np.asfortranarray(b) if transposed else b, out)
        found.append(out)
    part, packed = np.empty((5, 40), np.float32), np.empty((5, 90), np.float32)
    products.matmul(a[31:36], b[:, 20:60], part)
    products.matmul(a[31:36], np.asfortranarray(b), packed)
    np.testing.assert_array_equal(found[0][31:36], packed)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    np.testing.assert_array_equal(found[0][31:36, 20:60], part)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("shape", [(128, 61, 300), (40, 530, 97), (9, 16, 16), (99, 260, 49), (1, 7, 33)])
def test_each_way_of_a_product_gives_the_same_bits(use, rng, change, shape, number, dtype):
    """Whether b is copied in blocks or at once, or outᵀ is computed. Memory around out does not change."""
    use(number)
    change("SMALL", 1)
    change("PACKED_SIZE", 0)
    rows, depth, columns = shape
    a, b = (rng.standard_normal(size).astype(dtype) for size in ((rows, depth), (depth, columns)))
    start = rng.standard_normal((rows + 2, columns + 2)).astype(dtype)
    change("MANY_WORK", 0)
    ways = {
        "block by block": (a, b, 1 << 30),
        "all of b at once": (a, b, 0),
        "all of b at once, with a copy of a": (np.asfortranarray(a), b, 0),
        "transposed": (a, np.asfortranarray(b), 1 << 30),
    }
    for add in (False, True):
        found = []
        for way, (left, right, least) in ways.items():
            for name in ("PACKED_ROWS", "MANY_ROWS"):
                change(name, least)
            if way == "transposed":     # also if aᵀ is not smaller than b
                can = not add or depth <= panels.DEPTH
                change("_is_turned", lambda *_, can=can: can)
            out = start.copy()
            products.matmul(left, right, out[1:-1, 1:-1], add=add)
            found.append(out)
        for other in found[1:]:
            np.testing.assert_array_equal(found[0], other)
        exact = a.astype(np.float64) @ b + (start[1:-1, 1:-1] if add else 0)
        np.testing.assert_allclose(found[0][1:-1, 1:-1], exact, rtol=0, atol=2e-6 * depth)
        for edge in ((0,), (-1,), (slice(None), 0), (slice(None), -1)):
            np.testing.assert_array_equal(found[0][edge], start[edge])


@pytest.mark.parametrize(
    ("way", "shape", "first", "second"),
    [
        (plans.USUAL, (128, 784, 400), "C", "C"),
        (plans.USUAL, (128, 784, 400), "C", "F"),
        (plans.TURNED, (128, 784, 1000), "C", "F"),
        (plans.PACKED, (784, 128, 1000), "F", "C"),
        (plans.PACKED, (2048, 128, 512), "C", "C"),
        (plans.GROUPED, (128, 2048, 512), "F", "C"),
        (plans.PACKED, (512, 2048, 128), "F", "C"),
        (plans.USUAL, (32, 2048, 40), "F", "C"),
    ],
)
def test_plan_of_usual_shapes(way, shape, first, second):
    """Products of a dense layer, forward and backward, and those with many rows or long sums."""
    rows, depth, columns = shape
    a, b = np.empty((rows, depth), np.float32, first), np.empty((depth, columns), np.float32, second)
    found = plans.plan(a.shape, a.strides, columns, b.strides, 4 * columns, None, 4, False, 2)
    assert found.way == way and found.work == rows * depth * columns
    assert found.blocks >= 4 or rows < 64


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "shape",
    [
        (33, 1300, 50), (16, 4097, 7), (300, 40, 200), (150, 16385, 3), (64, 1300, 70), (1100, 260, 90),
        (700, 600, 500), (33, 7937, 50),
    ],
)
def test_long_sums_and_tall_products(use, rng, dtype, shape):
    """With blocks of the usual size. The shapes cover long sums and many rows, for which a or b is copied."""
    rows, depth, columns = shape
    a, b = (rng.standard_normal(size).astype(dtype) for size in ((rows, depth), (depth, columns)))
    bias = rng.standard_normal(columns).astype(dtype)
    exact = a.astype(np.float64) @ b.astype(np.float64)
    tolerance = (2e-6 if dtype == np.float32 else 2e-15) * depth
    first = None
    for number in (1, 2):
        use(number)
        for left in (a, np.asfortranarray(a)):
            out = np.empty((rows, columns), dtype)
            products.matmul(left, b, out)
            np.testing.assert_allclose(out, exact, rtol=0, atol=tolerance)
            first = out.copy() if first is None else first
            np.testing.assert_array_equal(out, first)
            products.matmul(left, b, out, add=True)
            np.testing.assert_allclose(out, 2 * exact, rtol=0, atol=2 * tolerance)
            products.matmul(left, b, out, bias)
            np.testing.assert_array_equal(out, first + bias)


def test_no_large_matrix_is_copied_at_once(use, rng, change, monkeypatch):
    """Not even if this is faster, because the copy takes as much memory as the matrix."""
    use(2)
    copied = []
    packed = products.packed
    monkeypatch.setattr(products, "packed", lambda b: copied.append(b.shape) or packed(b))
    a, b = (rng.standard_normal(size).astype(np.float32) for size in ((1100, 260), (260, 90)))
    found = np.empty((2, 1100, 90), np.float32)
    products.matmul(a, b, found[0])
    assert copied == [(260, 90)]
    change("MOST_PACKED", 4 * 260 * 90)      # in panels, it has 96 columns
    products.matmul(a, b, found[1])
    assert copied == [(260, 90)]
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.parametrize("rows", range(1, 8))
def test_a_tile_with_few_rows_reads_no_old_numbers(rng, rows):
    """If the memory of its other rows had denormal numbers, it would take thirty times as long."""
    depth, columns = 20, 24
    a, b = (rng.standard_normal(size).astype(np.float32) for size in ((rows, depth), (depth, columns)))
    found = products.packed(b)
    spare = np.full((panels.SPARE + panels.BYTES) // 4, 1e-40, np.float32)
    start = products.address(spare)
    start += -start % panels.BYTES
    out = np.empty((rows, columns), np.float32)
    sizes = rows, columns, depth
    panels.multiply(
        np.float32(0), products.address(a), *a.strides, found.address, products.address(out), out.strides[0],
        *sizes, start, 0, 0, 0,
    )  # fmt: skip
    np.testing.assert_allclose(out, a.astype(np.float64) @ b, rtol=0, atol=1e-5)
    height = panels.HEIGHTS[panels._next_panel.py_func(-(-columns * 4 // panels.BYTES))]
    first = (start + panels.TILE - products.address(spare)) // 4
    copied = spare[first : first + height * depth].reshape(height, depth)
    if rows > 1 and rows < height:      # one row is not copied
        np.testing.assert_array_equal(copied, np.concatenate([a, np.zeros((height - rows, depth))]))


@pytest.mark.parametrize("number", [1, 2, 3, 8])
def test_blocks_cover_each_number_of_a_product_once(change, number):
    """With the small blocks at the end, and without them, as when all helpers sleep."""
    change("WORK", 1 << 14)
    change("LEAST", 1 << 10)
    sizes = product((1, 7, 64, 129, 700), (1, 16, 49, 200), (3, 300), (False, True))
    for rows, columns, depth, copied in sizes:
        found = plans.divide(rows, columns, depth, 16, number, copied)
        without = -(-rows // found.height) * -(-columns // found.width)
        for whole, blocks in ((found.whole, found.blocks), (without, without)):
            covered = np.zeros((rows, columns), int)
            for block in range(blocks):
                division = rows, found.width, found.height, found.small, whole, number
                top, left, height = products._corner.py_func(block, *division)
                assert top < rows and left < columns
                covered[top : top + height, left : left + found.width] += 1
            assert (covered == 1).all()


@pytest.mark.parametrize("number", [2, 3, 8])
@pytest.mark.parametrize("rows", [128, 700])
def test_blocks_that_are_computed_at_the_same_time_are_not_neighbours(rows, number):
    """They would write to the same cache lines, which takes longer than the computation of these numbers."""
    division = plans.divide(rows, 48 * 40, 1024, 48, number, False)
    size = rows, division.width, division.height, division.small, division.whole, number
    corners = [products._corner.py_func(block, *size) for block in range(division.whole)]
    assert len(corners) >= 3 * number
    for first in range(0, len(corners) - number + 1, number):
        lefts = sorted({left for _, left, _ in corners[first : first + number]})
        assert all(np.diff(lefts) > division.width)
    tops = {top for top, _, _ in corners}
    assert len(tops) == -(-rows // division.height)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_product_keeps_nan_and_infinity(use, number):
    use(2)
    a, b = np.ones((40, 60)), np.ones((60, 50))
    a[3, 4] = number
    out = np.empty((40, 50))
    products.matmul(a, b, out)
    np.testing.assert_array_equal(out, np.where(np.arange(40) == 3, number, 60.0)[:, None] * np.ones(50))
