"""Small files in the formats of the published data sets."""

import hashlib
import io
import struct

import lmdb
import numpy as np
from PIL import Image


def picture(seed, height, width):
    """Returns blurred random colours: structure that survives resizing."""
    g = np.random.default_rng(seed)
    small = g.integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def idx(values):
    """Encodes values in the IDX format: two zero bytes, type 8 (unsigned byte), axes, lengths."""
    header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    return header + values.astype(np.uint8).tobytes()


def write_lsun(root, part, n, first_seed):
    """Writes webp images of all shapes under 40-digit keys, as LSUN stores them."""
    database = lmdb.open(str(root / f"church_outdoor_{part}_lmdb"), map_size=1 << 24)
    with database.begin(write=True) as transaction:
        for i in range(n):
            image = picture(first_seed + i, 256 + 7 * i if i % 2 else 256, 256 if i % 2 else 300)
            key = hashlib.sha1(str(first_seed + i).encode()).hexdigest().encode()
            transaction.put(key, encoded(image, "WEBP", quality=90))
    database.close()
