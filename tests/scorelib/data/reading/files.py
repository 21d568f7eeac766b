"""Small image files, written byte by byte where Pillow writes no such files."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Returns an image as Pillow writes it."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png(values: np.ndarray, bits: int, hidden: int) -> bytes:
    """Returns a PNG file of grey levels or colours, one of which is declared transparent.

    Args:
        values: levels 0 .. 2^bits - 1, (H, W) or (H, W, 3).
        bits: bits per channel: 1, 2, 4, 8 or 16.
        hidden: the transparent level, of each channel.
    """
    height, width, *colours = values.shape
    digits = [[format(v, f"0{bits}b") for v in row.ravel().tolist()] for row in values]
    texts = ["".join(row) for row in digits]
    texts = [text + "0" * (-len(text) % 8) for text in texts]
    rows = [b"\0" + int(text, 2).to_bytes(len(text) // 8, "big") for text in texts]
    header = struct.pack(">IIBBBBB", width, height, bits, 2 if colours else 0, 0, 0, 0)
    transparent = struct.pack(">H", hidden) * (3 if colours else 1)
    chunks = {b"IHDR": header, b"tRNS": transparent, b"IDAT": zlib.compress(b"".join(rows))}
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in (chunks | {b"IEND": b""}).items()
    )


def tiff(
    values: np.ndarray,
    bits: int,
    *,
    photometric: int = 1,
    sample_format: int = 1,
    packed: bytes | None = None,
) -> bytes:
    """Returns an uncompressed, little-endian TIFF file of grey levels.

    Args:
        values: levels, (H, W).
        bits: bits per level.
        photometric: 0 if zero is white, 1 if zero is black.
        sample_format: 1 for unsigned, 2 for signed values.
        packed: the levels as the file holds them, where they are no whole bytes.
    """
    height, width = values.shape
    data = packed or values.tobytes()
    tags = {
        256: width, 257: height, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: height,
        279: len(data), 339: sample_format,
    }  # fmt: skip
    folder = struct.pack("<H", len(tags))
    for tag, value in tags.items():
        folder += struct.pack("<HHIHH", tag, 3, 1, value, 0)
    start = struct.pack("<I", 8 + len(data))
    return b"II*\0" + start + data + folder + struct.pack("<I", 0)
