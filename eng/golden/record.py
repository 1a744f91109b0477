"""Records golden cases in memory: random inputs of a case, and one row per case (see ../make-golden.py)."""
import math
import zlib

import numpy as np
import torch

F64, INF, NAN = torch.float64, math.inf, math.nan
FILES = {}  # file -> case -> (call, {array name: ndarray})


class Draw:
    """Random inputs of one case, in multiples of 1/256: sums of products of them are exact, so convolution, pooling and indexing
    can be compared for equality, and the archives compress."""

    def __init__(self, case):
        self.source = np.random.RandomState(zlib.crc32(case.encode()))

    def normal(self, *shape):
        return grid(self.source.standard_normal(shape))

    def uniform(self, low, high, *shape):
        return grid(self.source.uniform(low, high, shape))

    def integers(self, high, *shape):
        return torch.from_numpy(np.asarray(self.source.randint(0, high, shape), dtype=np.int64))


def grid(values):
    return torch.from_numpy(np.asarray(np.round(values * 256) / 256))


def numbers(*values):
    return torch.tensor(values, dtype=F64)


def indices(*values):
    return torch.tensor(values, dtype=torch.int64)


def store(file, case, call, **arrays):
    cases = FILES.setdefault(file, {})
    assert case not in cases, f"{file}: case {case} exists twice"
    cases[case] = (call, {name: to_numpy(value) for name, value in arrays.items() if value is not None})


def to_numpy(value):
    if isinstance(value, (list, tuple)) and isinstance(value[0], torch.Tensor):
        value = torch.stack(value)
    array = value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
    if array.dtype == np.bool_:
        array = array.astype(np.int64)
    assert array.dtype in (np.float64, np.int64), array.dtype
    return np.array(array, order="C")  # a copy: optimisers and running statistics change their tensors in place


def vjp(file, case, call, f, inputs, params=None, second=False):
    """Runs y = f(*inputs) and stores inputs, y, g and one gradient per float input.

    With second, also h<name>: the gradient of sum(gx * gx) for each float input and for g, gx belonging to the first input.
    """
    inputs = {name: v.detach().clone().requires_grad_(v.is_floating_point()) for name, v in inputs.items()}
    floats = {name: v for name, v in inputs.items() if v.requires_grad}
    y = f(*inputs.values())
    g = Draw(case + "/upstream").normal(*y.shape).requires_grad_()
    grads = torch.autograd.grad(y, list(floats.values()), g, create_graph=second)
    arrays = {**inputs, **(params or {}), "y": y, "g": g, **{"g" + name: v for name, v in zip(floats, grads)}}
    if second:
        floats["g"] = g
        if grads[0].requires_grad:
            again = torch.autograd.grad((grads[0] * grads[0]).sum(), list(floats.values()), allow_unused=True)
        else:  # a gradient that PyTorch returns as a constant: only exact if it is 0, where that of its square is 0 too
            assert not grads[0].any(), f"{case}: the gradient is a constant, so it has no second order to store"
            again = [None] * len(floats)
        for (name, v), h in zip(floats.items(), again):
            arrays["h" + name] = torch.zeros_like(v) if h is None else h
    store(file, case, call, **arrays)
