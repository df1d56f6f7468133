"""Many devices: what of an ensemble's training lives where.

Seeds are spread over devices first, which then have nothing to tell each other, and
each batch over those that are left. Random bits do not depend on where they are drawn
(`jax_threefry_partitionable`), so that a run draws the same samples on any number of
devices; only the order of summation differs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import gcd
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

SEEDS, BATCH = "seeds", "batch"


def over_batch(function: Callable, in_axes: Any = 0) -> Callable:
    """Return `jax.vmap(function, in_axes)` over the events of a batch.

    Where a program is traced for a mesh with the axis `batch`, each of its devices
    computes its share of the events, by itself: the partitioner would gather the whole
    batch for some operations, such as Fourier transforms.

    Args:
        function: of one event.
        in_axes: 0 or None, for all arguments or for each.
    """
    mapped = jax.vmap(function, in_axes)

    def call(*arguments: Any) -> Any:
        mesh = jax.sharding.get_abstract_mesh()
        if BATCH not in mesh.axis_names or BATCH in mesh.manual_axes:
            return mapped(*arguments)
        axes = in_axes if isinstance(in_axes, tuple) else (in_axes,) * len(arguments)
        specs = tuple(PartitionSpec(*([] if a is None else [BATCH])) for a in axes)
        return jax.shard_map(
            mapped, in_specs=specs, out_specs=PartitionSpec(BATCH), check_vma=False
        )(*arguments)

    return call


@dataclass(frozen=True)
class Placement:
    """Where the states of an ensemble and its batches live.

    Attributes:
        mesh: of axes `seeds` and `batch`; None for one device, whose programs are those
            that they would be without this module.
    """

    mesh: Mesh | None = None

    @property
    def seeds_axis(self) -> str | None:
        """Name of the mesh axis over which a `vmap` over seeds is spread."""
        return None if self.mesh is None else SEEDS

    def describe(self) -> dict[str, int]:
        """Return the number of devices along each axis."""
        return {SEEDS: 1, BATCH: 1} if self.mesh is None else dict(self.mesh.shape)

    def spread(self, states: Any) -> Any:
        """Return states, with their leading axis over seeds, on their devices."""
        return self._put(states, PartitionSpec(SEEDS))

    def replicate(self, tree: Any) -> Any:
        """Return arrays whole on every device."""
        return self._put(tree, PartitionSpec())

    def collect(self, tree: Any) -> Any:
        """Return arrays that are spread over devices as whole ones on one device.

        With several processes, all must call this, and each gets its own copy.
        """
        if self.mesh is None:
            return tree
        whole = jax.jit(lambda x: x, out_shardings=self._sharding(PartitionSpec()))
        return jax.tree.map(lambda leaf: leaf.addressable_data(0), whole(tree))

    def compile(
        self, chunk: Callable, states: Any, *arguments: Any
    ) -> jax.stages.Compiled:
        """Return the program `(states, ...) -> (states, metrics)`.

        It takes states as `spread` leaves them, whose buffers it reuses, and returns
        such states and metrics that are whole on every device.
        """
        if self.mesh is None:
            jitted = jax.jit(chunk, donate_argnums=0)
            return jitted.lower(states, *arguments).compile()
        shardings = (
            self._sharding(PartitionSpec(SEEDS)),
            self._sharding(PartitionSpec()),
        )
        jitted = jax.jit(chunk, donate_argnums=0, out_shardings=shardings)
        with jax.set_mesh(self.mesh):
            return jitted.lower(states, *arguments).compile()

    def _put(self, tree: Any, spec: PartitionSpec) -> Any:
        if self.mesh is None:
            return tree
        sharding = self._sharding(spec)

        def put(leaf: Any) -> Any:
            if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
                return jax.random.wrap_key_data(put(jax.random.key_data(leaf)))
            # Unlike `device_put`, also onto devices of other processes.
            whole = np.asarray(leaf)
            return jax.make_array_from_callback(
                whole.shape, sharding, lambda index: whole[index]
            )

        return jax.tree.map(put, tree)

    def _sharding(self, spec: PartitionSpec) -> NamedSharding:
        assert self.mesh is not None
        return NamedSharding(self.mesh, spec)


ONE_DEVICE = Placement()


def place(devices: int | None, seeds: int, batch_size: int) -> Placement:
    """Return the placement of a run over devices of this process and of all others.

    Args:
        devices: of every process; None for one, and for all with several processes.
        seeds: number of models that are trained together.
        batch_size: samples of each per step.

    Raises:
        ValueError: if there are fewer devices, or seeds and batches do not divide over
            them.
    """
    processes = jax.process_count()
    found = [
        [device for device in jax.devices() if device.process_index == process]
        for process in range(processes)
    ]
    most = min(map(len, found))
    if devices is None:
        devices = 1 if processes == 1 else most
    if devices < 1:
        raise ValueError(f"devices={devices} must be at least 1")
    if devices > most:
        kind, where = found[0][0].platform, " per process" if processes > 1 else ""
        raise ValueError(
            f"devices={devices} are more than the {most} of kind {kind} there are"
            f"{where}: ask for at most {most}"
        )
    total = devices * processes
    if total == 1:
        return ONE_DEVICE
    along_seeds = gcd(seeds, total)
    along_batch = total // along_seeds
    if batch_size % along_batch:
        more = -(-batch_size // along_batch) * along_batch
        shares = "" if along_seeds == 1 else f", {along_batch} for each seed"
        raise ValueError(
            f"training.batch_size={batch_size} with seeds={seeds} does not divide over "
            f"{total} devices{shares}: use training.batch_size={more}, a multiple of "
            f"{total} seeds, or fewer devices"
        )
    chosen = np.array([device for own in found for device in own[:devices]])
    grid = chosen.reshape(along_seeds, along_batch)
    return Placement(Mesh(grid, (SEEDS, BATCH), axis_types=(AxisType.Auto,) * 2))
