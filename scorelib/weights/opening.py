"""Opens files of weights as tensors, numbers, lists and dictionaries, without running code.

A file of ``torch.save`` is a pickle, and a pickle is a program. Files are read by the weights-only
unpickler of torch or as safetensors. A file whose pickle needs to run code, such as those of EDM,
is refused.
"""

import hashlib
import pickle
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from scorelib.errors import InputError
from scorelib.weights.pipelines import UNET_WEIGHTS, is_pipeline, pipeline_weights

_ZIP, _PICKLE = b"PK", b"\x80"
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


WEIGHTS = "model.safetensors"
"""Name of the file of weights in a folder."""


def file_sha256(path: Path) -> str | None:
    """Returns the SHA-256 of a file, or of the weights in a folder; None if there is no such file.

    Args:
        path: a file or a folder.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        if path.is_dir():
            path = pipeline_weights(path) if is_pipeline(path) else path / WEIGHTS
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise unreadable(path, error) from error


def fetched(name: str) -> Path:
    """Returns the folder of a model of the Hugging Face hub, fetched unless it is there already.

    Args:
        name: name of the model, OWNER/NAME.

    Raises:
        InputError: diffusers is not installed, or the model cannot be fetched.
    """
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise InputError(
            f"{name} must be a file or folder of weights; there is none, and a model of the hub "
            "needs the library: pip install 'score-studies[diffusers]'",
            "path",
        ) from error
    try:
        return Path(snapshot_download(name, allow_patterns=["*.json", f"*{UNET_WEIGHTS}"]))
    except Exception as error:  # of the hub, of the network, of the proxy
        reason = " ".join(str(error).split()).removeprefix("Got: ").partition(". ")[0]
        raise InputError(
            f"{name} must be a file or folder of weights, or a model of the Hugging Face hub; there"
            f" is no such file, and fetching failed ({reason[:150]}): name a folder, or try again "
            "where there is a network",
            "path",
        ) from error


def is_hub_name(text: str) -> bool:
    """Returns whether a text can be the name of a model of the hub, OWNER/NAME."""
    return _HUB_NAME.fullmatch(text) is not None


def opened(path: Path, sha256: str | None = None) -> tuple[Any, str]:
    """Returns the content of a file of weights and the digest of the same bytes.

    Args:
        path: a file of ``torch.save``, in its zip container or the older one, or of safetensors.
        sha256: the digest that the file must have; None for any.

    Returns:
        The content, tensors on the CPU, and the SHA-256 of the bytes, 64 hexadecimal digits.

    Raises:
        InputError: the file is absent, truncated, of another kind or digest, or needs code to run.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            if sha256 is not None and digest != sha256.lower():
                raise InputError(
                    f"{path} must have the SHA-256 {sha256}; got {digest}: fetch that file, or "
                    "give the digest of this file if the file is right",
                    "sha256",
                )
            file.seek(0)
            if path.suffix == ".safetensors":
                return _safetensors(path, file.read()), digest
            start = file.read(2)
            file.seek(0)
            if start == _ZIP:
                _require_undamaged(path, file)
            return _saved_by_torch(path, file, start), digest
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> InputError:
    """The error for a file of weights that cannot be read, though its content may be good."""
    return InputError(
        f"{path} must be a readable file of weights; reading failed "
        f"({error.strerror or _one_line(error)}): mend its permissions or the disk, or name "
        "another file",
        "path",
    )


def _require_undamaged(path: Path, file: Any) -> None:
    """Raises InputError if a part of a zip container is not what was written (its checksum)."""
    try:
        damaged = zipfile.ZipFile(file).testzip()
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError) as error:
        raise _no_weights(path, error) from error
    finally:
        file.seek(0)
    if damaged is not None:
        raise InputError(
            f"{path} must be a whole file of weights; the checksum of its part {damaged} is wrong: "
            "the file is damaged, fetch the file again",
            "path",
        )


def _safetensors(path: Path, content: bytes) -> dict[str, torch.Tensor]:
    try:
        tensors: dict[str, torch.Tensor] = safetensors.torch.load(content)
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise InputError(
            f"{path} must be a whole safetensors file; reading failed ({_one_line(error)}): fetch "
            "the file again",
            "path",
        ) from error
    return tensors


def _saved_by_torch(path: Path, file: Any, start: bytes) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of protocols: what cannot be read raises
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not start.startswith((_ZIP, _PICKLE)):
            raise _no_weights(path, error) from error
        asked = re.search(r"(?:GLOBAL|global:?) ([\w.]+\.\w+)", str(error))
        wants = f" (the file asks for {asked[1]})" if asked else ""
        raise InputError(
            f"{path} must hold only tensors, numbers, lists and dictionaries; reading the pickle "
            f"needs code to run{wants}, as EDM's pickles and whole saved modules do, and no code "
            "was run: where you trust the file, save the bare tensors with the authors' program, "
            "torch.save(model.state_dict(), FILE), and give that FILE",
            "path",
        ) from error
    except (OSError, MemoryError):
        raise
    except Exception as error:  # whatever a damaged file makes torch stumble over
        raise _no_weights(path, error) from error


def _no_weights(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path} must be a whole file of torch.save or of safetensors; the file is truncated or of "
        f"another kind ({_one_line(error)}): fetch the file again, or unpack an archive first",
        "path",
    )


def _one_line(error: Exception) -> str:
    """Returns the first sentence of an error's message, or the error's class."""
    text = " ".join(str(error).split())
    return text.partition(". ")[0].removesuffix(".") or type(error).__name__
