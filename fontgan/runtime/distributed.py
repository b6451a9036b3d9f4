"""Several processes that train one model, as torchrun starts them: who they are, and the few words they exchange.

Each holds the whole model and a share of every batch; DistributedDataParallel averages the gradients.  Tensors on CUDA
devices travel by NCCL, those on the CPU by gloo.  Without torchrun there is one process, and all of this answers at once.
"""

import inspect
import logging
import os
import sys
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from fontgan.errors import ConfigError, RunError, first_line

if TYPE_CHECKING:  # one process alone, which draws with an exported run, may have no torch
    import torch
    from torch import Tensor, nn

# The longest that one process waits for another, which may be drawing a large pack.  One that dies is noticed at once.
PATIENCE = timedelta(minutes=30)
FAILED = 2  # exit code of the processes that leave it to the main one to say why

Thing = TypeVar("Thing")


def _joined() -> Any:
    """torch.distributed if this process has joined others, else None."""
    dist = sys.modules.get("torch.distributed")
    return dist if dist is not None and dist.is_initialized() else None


def rank() -> int:
    """This process among all that train together, from 0."""
    dist = _joined()
    return dist.get_rank() if dist else 0


def world_size() -> int:
    """How many processes train together."""
    dist = _joined()
    return dist.get_world_size() if dist else 1


def is_main() -> bool:
    """Whether this is the process that writes and speaks."""
    return rank() == 0


def asked_processes() -> int:
    """How many processes torchrun was asked for, 1 without it. Raises: ConfigError."""
    return _from_environment("WORLD_SIZE", 1)


def processes_here() -> int:
    """How many of the processes share this machine. Raises: ConfigError."""
    return max(1, _from_environment("LOCAL_WORLD_SIZE", 1))


def local_rank() -> int:
    """This process among those of its machine, from 0: the number of its CUDA device. Raises: ConfigError."""
    return _from_environment("LOCAL_RANK", 0)


def _from_environment(name: str, default: int) -> int:
    value = os.environ.get(name, str(default))
    if not value.isdigit():
        raise ConfigError(
            f"{name}={value}: this environment variable must be a number. Start with torchrun, or unset it."
        )
    return int(value)


@contextmanager
def process_group(device: "str | torch.device") -> Iterator[None]:
    """Joins the processes that torchrun started, for the time of the block; all but the main one only warn from then on.

    Raises: RunError if they cannot be reached, or if one of them is lost during the block.
    """
    if asked_processes() == 1:
        yield
        return
    import torch
    from torch import distributed as dist

    device = torch.device(device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    try:
        store, own_rank, processes = _rendezvous()
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        dist.init_process_group(backend, store=store, rank=own_rank, world_size=processes, timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise RunError(
            f"torchrun: the {asked_processes()} processes cannot reach each other ({first_line(error)[:200]}). Start all of "
            "them with torchrun and the same --rdzv-endpoint, or unset WORLD_SIZE."
        ) from error
    logger = logging.getLogger("fontgan")
    before = logger.level
    if not is_main():
        logger.setLevel(max(before, logging.WARNING))
    try:
        yield
        # Not after an error: what is still under way with a process that is gone would never end.
        all_reduce_max([0.0])  # the others may still be listening
        dist.destroy_process_group()
    except RuntimeError as error:
        if not _is_lost_peer(error):
            raise
        raise RunError(
            f"process {rank()} of {world_size()}: another process died or cannot be reached "
            f"({first_line(error)[:200]}). Its own message says why; the same command goes on from what was saved."
        ) from error
    finally:
        logger.setLevel(before)


def _rendezvous() -> tuple[Any, int, int]:
    """A store in which the processes find each other, the rank of this one, and how many they are.

    torchrun keeps one store over its restarts, and with it the addresses of processes that are dead by now. So the main
    process makes up a name for this start, tells it to everyone who asks, and goes on once all have thanked it by that
    name; whoever asked before it died gets an answer too, and it does no harm.

    Raises: RuntimeError or ValueError if that is impossible.
    """
    from torch import distributed as dist
    from torch.distributed.rendezvous import rendezvous

    store, own_rank, processes = next(rendezvous("env://", timeout=PATIENCE))
    name = uuid.uuid4().hex
    if own_rank:
        store.set(f"asks/{own_rank}", name)
        name = store.get(f"told/{name}").decode()  # waits for it
        store.set(f"thanks/{name}/{own_rank}", "")
    else:
        missing = set(range(1, processes))
        deadline = time.monotonic() + PATIENCE.total_seconds()
        while missing:
            if time.monotonic() > deadline:
                minutes = PATIENCE.total_seconds() / 60
                raise RuntimeError(f"{len(missing)} of them did not come in {minutes:.0f} minutes")
            for other in sorted(missing):
                if store.check([f"asks/{other}"]):
                    store.set(f"told/{store.get(f'asks/{other}').decode()}", name)
                if store.check([f"thanks/{name}/{other}"]):
                    missing.remove(other)
            time.sleep(0.01)
    return dist.PrefixStore(name, store), own_rank, processes  # type: ignore[attr-defined]


def _is_lost_peer(error: RuntimeError) -> bool:
    """Whether a collective failed; gloo gives plain RuntimeErrors that only their text tells from others."""
    from torch import distributed as dist

    text = str(error).lower()
    return isinstance(error, dist.DistError) or any(s in text for s in ("gloo", "closed by peer", "reset by peer"))


@contextmanager
def main_first() -> Iterator[None]:
    """The main process goes through the block, the others wait and then do the same; if it fails they end quietly.

    For what makes files that all of them read (the pack, the run's folder), and for errors that all would make alike.
    """
    if is_main():
        try:
            yield
        except BaseException:
            with suppress(RuntimeError):  # nobody left to be told
                all_reduce_max([1.0])
            raise
        all_reduce_max([0.0])
    else:
        (failed,) = all_reduce_max([0.0])
        if failed:
            raise SystemExit(FAILED)
        yield


def raise_on_main(error: RunError) -> BaseException:
    """What to raise for an error that all processes know of: the main one says it, the others end quietly."""
    return error if is_main() else SystemExit(FAILED)


def all_reduce_max(values: Sequence[float]) -> list[float]:
    """The largest that any process gives, place by place."""
    if world_size() == 1:
        return list(values)
    import torch
    from torch import distributed as dist

    shared = torch.tensor(values, dtype=torch.float64)
    dist.all_reduce(shared, dist.ReduceOp.MAX)
    return shared.tolist()


def all_gather(thing: Thing) -> list[Thing]:
    """What each process gives, in the order of their ranks. For small things: it is pickled."""
    if world_size() == 1:
        return [thing]
    from torch import distributed as dist

    things: list[Thing | None] = [None] * world_size()
    dist.all_gather_object(things, thing)
    return things  # type: ignore[return-value]


def broadcast_(tensors: "Iterable[Tensor]") -> None:
    """Overwrites tensors with those of the main process."""
    if dist := _joined():
        for tensor in tensors:
            dist.broadcast(tensor, src=0)


def share_of(things: Sequence[Thing]) -> Sequence[Thing]:
    """This process's part of things that all of them have alike: contiguous, and as even as can be."""
    first, end = (place * len(things) // world_size() for place in (rank(), rank() + 1))
    return things[first:end]


def own_random_stream(seed: int, step: int) -> None:
    """Seeds torch so that the processes, which begin alike, drop out different things from that step on."""
    import torch

    torch.manual_seed(int(np.random.SeedSequence((seed, rank(), step)).generate_state(1, np.uint64)[0] >> np.uint64(1)))


def wrap_ddp(network: Any, idle: "Sequence[nn.Parameter]") -> Any:
    """The network as it is called where gradients are to be the mean over all processes, after each backward pass.

    One backward pass may follow several calls, and calls of the network itself.  With several backward passes before an
    update each is averaged: simpler than only the last, and the same sum.

    Args:
        network: a module, or its compiled form; the same in all processes from now on.
        idle: parameters that never get a gradient; torch would wait for them.
    """
    if world_size() == 1:
        return network
    from torch.nn.parallel import DistributedDataParallel

    # Each process keeps its own buffers; torch 2.15 gave the option that says so another name.
    known = inspect.signature(DistributedDataParallel).parameters
    buffers = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"
    options: dict[str, Any] = {buffers: False, "gradient_as_bucket_view": True}
    # Parameters that need no gradient at this moment are left alone for good.
    for parameter in idle:
        parameter.requires_grad_(False)
    try:
        return DistributedDataParallel(network, **options)
    finally:
        for parameter in idle:
            parameter.requires_grad_(True)


def with_shared_statistics(network: "nn.Module", device: "torch.device") -> "nn.Module":
    """The network with batch norm over the glyphs of all processes. Raises: ConfigError on a CPU, where torch has none."""
    if world_size() == 1:
        return network
    if device.type != "cuda":
        raise ConfigError(
            "trainer.sync_batch_norm=true: torch synchronises batch norm on CUDA devices only. "
            "Use trainer.device=cuda, sync_batch_norm=false, or generator/norm=group."
        )
    from torch import nn

    return nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
