"""The import of Ray, with its environment variables set before the first import.

Ray reads the variables only once. All modules of this project that use Ray import it from here, so
that the variables are set whatever the order of imports.
"""

import os
import sys
import tempfile

os.environ.update(
    {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AIR_NEW_OUTPUT": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        "RAY_CHDIR_TO_TRIAL_DIR": "0",
        "TUNE_DISABLE_SIGINT_HANDLER": "1",
        "RAY_DISABLE_FAILURE_SIGNAL_HANDLER": "1",  # Ray's handler in C++ aborts on SIGTERM
        "RAY_COLOR_PREFIX": "0",  # Ray writes escape codes to files and pipes too
        "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",
        # Time in ms for Ray to find out whether the node of a silent worker is lost. By default Ray
        # reports the worker as "unavailable" after a second, without the cause.
        "RAY_timeout_ms_task_wait_for_death_info": "120000",
        # Jobs are actors, which get processes of their own, so none is started in advance.
        "RAY_prestart_worker_first_driver": "0",
    }
)
# Workers keep the memory that a step frees for the next step. Returning the memory to the kernel,
# which zeroes and maps it again, takes 7 % of the time of training small networks on a CPU.
os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(32 * 2**20))
os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(256 * 2**20))
# Clusters should have a token too, unless the environment sets RAY_AUTH_MODE=disabled. A Ray to
# which this process is connected already keeps its mode.
if not ("ray" in sys.modules and sys.modules["ray"].is_initialized()):
    os.environ.setdefault("RAY_AUTH_MODE", "token")
# Ray cannot be imported without a home folder, although a local session writes nothing there.
if os.path.expanduser("~") == "~":
    os.environ["HOME"] = tempfile.gettempdir()

import ray
from ray import tune
from ray._raylet import AuthenticationTokenLoader  # type: ignore[attr-defined]  # compiled
from ray.tune.execution import tune_controller
from ray.tune.search import Searcher
from ray.tune.utils.object_cache import _ObjectCache as ObjectCache
from ray.util.client import ray as ray_client
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as NodeAffinity

# On its start, Ray would install a handler of SIGTERM that ends the process. Drivers handle SIGTERM
# themselves (tuning.execution.stop) and end in order. (Starting Ray in another thread would not
# help: the kernel ends the processes that Ray starts together with that thread.)
ray._private.utils.set_sigterm_handler = lambda handler: None

__all__ = [
    "AuthenticationTokenLoader",
    "NodeAffinity",
    "ObjectCache",
    "Searcher",
    "ray",
    "ray_client",
    "tune",
    "tune_controller",
]
