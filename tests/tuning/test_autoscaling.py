"""A study on a real autoscaler: Ray's own, whose nodes are raylets on this machine.

Both versions of the autoscaler, and more losses of nodes: `tests.chaos.nodes`.
"""

from tests.chaos.nodes import autoscaled


def test_nodes_come_up_together_one_is_lost_and_the_cluster_is_idle_at_the_end(tmp_path):
    autoscaled(tmp_path, v2=False)
