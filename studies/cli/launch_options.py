"""The options of a launch that the command line and the Python interface share."""

from dataclasses import dataclass

from scorelib.errors import InputError
from studies.opening.cli_common import DEFAULT_STORE


@dataclass(frozen=True)
class LaunchOptions:
    """The options of a launch; they change no result.

    Attributes:
        store: folder or URL of the store.
        tracking_uri: URI of an MLflow server; None for a database in the store.
        address: address of a Ray cluster, or "auto" on one of its nodes; None for a local Ray, or
            for the Ray to which this process is connected already.
        cpus: number of CPUs, >= 1; None for all. With a cluster, or with a Ray that runs already,
            the most CPUs that it may grow to.
        gpus: number of GPUs, >= 0, defined like `cpus`.
        max_concurrent: maximum number of jobs at a time, >= 1; None for the number of CPUs.
        allow_cpu: whether jobs that need a GPU may run on CPUs.
    """

    store: str = DEFAULT_STORE
    tracking_uri: str | None = None
    address: str | None = None
    cpus: int | None = None
    gpus: int | None = None
    max_concurrent: int | None = None
    allow_cpu: bool = False

    def __post_init__(self) -> None:
        """Raises InputError if an option has the wrong type, is empty or is out of range."""
        for name in ("tracking_uri", "address"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, str) and value.strip()):
                raise InputError(f"{name} must be text, but got {value!r}", name)
        for name, least in (("cpus", 1), ("gpus", 0), ("max_concurrent", 1)):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < least):
                raise InputError(
                    f"{name} must be a whole number of at least {least}, but got {value!r}", name
                )
        if not isinstance(self.allow_cpu, bool):
            raise InputError(
                f"allow_cpu must be true or false, but got {self.allow_cpu!r}", "allow_cpu"
            )
