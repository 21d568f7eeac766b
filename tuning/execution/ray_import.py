"""Ray, imported with its environment set: it reads these once, when first imported.

Everything here that uses Ray imports it from this module, so that no order of imports can leave it
noisy, or without its token.
"""

import os

os.environ.update(
    {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AIR_NEW_OUTPUT": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        "RAY_CHDIR_TO_TRIAL_DIR": "0",
        "TUNE_DISABLE_SIGINT_HANDLER": "1",
        "RAY_DISABLE_FAILURE_SIGNAL_HANDLER": "1",  # its C++ part aborts on SIGTERM
        "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",
        # How long to wait for Ray to find out whether a silent worker's node is lost: by default it
        # reports a worker as "unavailable" after a second, which says nothing of the cause.
        "RAY_timeout_ms_task_wait_for_death_info": "120000",
        # Jobs are actors, which get processes of their own: none is started in advance.
        "RAY_prestart_worker_first_driver": "0",
    }
)
# Workers keep the memory that a step frees for the next one: giving it back to the kernel, which
# zeroes and maps it anew, costs a training of small networks on a CPU 7 % of its time.
os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(32 * 2**20))
os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(256 * 2**20))
# Clusters too should have a token; RAY_AUTH_MODE=disabled in the environment says otherwise.
os.environ.setdefault("RAY_AUTH_MODE", "token")

import ray
from ray import tune
from ray._raylet import AuthenticationTokenLoader  # type: ignore[attr-defined]  # compiled
from ray.tune.execution import tune_controller
from ray.tune.search import Searcher
from ray.tune.utils.object_cache import _ObjectCache as ObjectCache
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as NodeAffinity

# As it starts, Ray would take SIGTERM for itself, and end the process from within; a driver listens
# (tuning.execution.stop) and ends in order. (Starting Ray in another thread is no way out: what it
# starts is ended by the kernel with the thread.)
ray._private.utils.set_sigterm_handler = lambda handler: None

__all__ = [
    "AuthenticationTokenLoader",
    "NodeAffinity",
    "ObjectCache",
    "Searcher",
    "ray",
    "tune",
    "tune_controller",
]
