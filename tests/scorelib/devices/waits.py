"""Counts calls that would make the host wait for a GPU; a stand-in for a GPU's own mode.

On a GPU, `torch.cuda.set_sync_debug_mode("error")` finds such calls (see `tests.gpu`). On a CPU two
modes of PyTorch see them: one the Python calls that read a tensor or make one from Python values,
the other the operations that PyTorch calls by itself.
"""

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

READ_OR_MADE = {
    torch.Tensor.tolist: "tolist", torch.Tensor.cpu: "cpu", torch.Tensor.numpy: "numpy",
    torch.tensor: "tensor", torch.as_tensor: "as_tensor",
}  # fmt: skip
OPERATIONS = {
    "aten::_local_scalar_dense", "aten::nonzero", "aten::equal", "aten::masked_select",
    "aten::_unique2",
}  # fmt: skip


class _Calls(TorchFunctionMode):
    def __init__(self, found):
        super().__init__()
        self.found = found

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in READ_OR_MADE:
            self.found.append(READ_OR_MADE[func])
        return func(*args, **(kwargs or {}))


class _Operations(TorchDispatchMode):
    def __init__(self, found):
        super().__init__()
        self.found = found

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func._schema.name in OPERATIONS:
            self.found.append(func._schema.name)
        return func(*args, **(kwargs or {}))


class Waits:
    """A context that records the waits of the code inside."""

    def __init__(self):
        self.found = []
        self._modes = _Calls(self.found), _Operations(self.found)

    def __enter__(self):
        for mode in self._modes:
            mode.__enter__()
        return self

    def __exit__(self, *error):
        for mode in reversed(self._modes):
            mode.__exit__(*error)

    def clear(self):
        """Returns the waits since the last call, and forgets them."""
        waits = list(self.found)
        self.found.clear()
        return waits
