"""Golden values: what PyTorch answers where a convention, not mathematics, decides.

    python3 eng/make-golden.py tests/Native.Tests/Golden

Written with Python 3.11, PyTorch 1.13.0 and NumPy 1.24.2, on a CPU; needs nothing else.
Why: gradients are already checked against finite differences, and values against independent formulas. Neither can tell that
a momentum buffer is scaled differently, that epsilon stands inside the root, that a running variance is the biased one, or that
a tie sends its gradient elsewhere. Those are agreements, and the tests read them from here so that no Python is needed to test.

Each case is one row in eng/golden/: its file and name, the PyTorch call in words, its inputs, and mostly a random upstream
gradient `g` with the gradients that PyTorch returns for it. README.md of the output folder is written from the same rows.
Inputs come from NumPy's frozen legacy generator, seeded by the case name, so adding a case changes no other; archives carry no
dates. Hence a second run gives identical bytes, and another machine differs at most by roundings.
"""
import os
import sys
import warnings
import zipfile
from pathlib import Path

os.environ.setdefault("ATEN_CPU_CAPABILITY", "default")  # plain libm loops: the same bits whatever vector unit the CPU has
sys.dont_write_bytecode = True
import numpy as np
import torch

from golden import functions, layers, training
from golden.record import FILES

README = """
# Golden values

Written by `eng/make-golden.py`, this page included (Python 3.11, PyTorch 1.13.0, NumPy 1.24). To regenerate:
`python3 eng/make-golden.py tests/Native.Tests/Golden`.

- An array's key is `case.name`. Floats are f64; indices and flags are i64; parameters are 0-d or 1-d.
- `y` is the output, `g` the upstream gradient (shape of `y`), `gx` the gradient for `x` given `g`. Cases without `g` say what `gx` is.
- `hx`, `hw`, `hg`, unless the line says otherwise, are the gradients of `sum(gx * gx)` for `x`, `w` and `g`, where gx is that of the
  first input of the case (`glogits` in gumbel.npz).
- NaN is meant, and equals NaN only. A gradient at a NaN input is an accident of each formula (relu 1, clamp 0), not a convention.
- Some of PyTorch's derivatives cancel (1 - y * y): beside the relative tolerance use 1e-12.
- Inputs of conv, pool and indexing are multiples of 1/256, and their sums of products are exact in f64: compare for equality
  (averages that divide by 3 or 9 are rounded).
- Samples in init.npz have at least 512 elements (biases at least 64): `sample_*` tells that PyTorch agrees with `bound` or `std`.
"""


def write(folder):
    readme = [README.strip(), ""]
    for file, cases in FILES.items():
        with zipfile.ZipFile(folder / f"{file}.npz", "w") as archive:
            for case, (_, arrays) in cases.items():
                for name, array in arrays.items():
                    entry = zipfile.ZipInfo(f"{case}.{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
                    entry.create_system = 3  # otherwise the host's, and Windows would write other bytes
                    entry.compress_type = zipfile.ZIP_DEFLATED
                    with archive.open(entry, "w") as stream:
                        np.lib.format.write_array(stream, array, version=(1, 0), allow_pickle=False)
        readme += [f"## {file}.npz", ""]
        readme += [f"- `{case}`: `{call}` -> {', '.join(arrays)}" for case, (call, arrays) in cases.items()] + [""]
    (folder / "README.md").write_text("\n".join(readme[:-1]) + "\n", encoding="utf-8", newline="\n")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: python3 eng/make-golden.py OUTDIR")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="reduction: 'mean' divides")  # PyTorch's advice on kl_div; its answer is the point
    for record in (training.optimisers, training.clipping, training.schedules, layers.normalisation, layers.convolution,
                   layers.pooling, functions.losses, functions.pointwise, functions.reductions, layers.indexing,
                   training.initialisers, training.gumbel, training.higher_order):
        record()
    write(folder)


if __name__ == "__main__":
    main()
