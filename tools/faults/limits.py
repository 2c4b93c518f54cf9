"""Faults of training runs that come from the system: full disks, folders, limits, the clock, the start."""

from __future__ import annotations

import ctypes
import hashlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from tools.faults import child
from tools.faults.campaign import LOST, REFUSED, SURVIVED, Campaign, Outcome, Place, Reference
from tools.faults.operations import DoAt, watch
from tools.faults.runs import Run

IMPOSSIBLE = Outcome("impossible")      # on this machine, or for this user
CAPABILITY_VERSION, CAP_DAC_OVERRIDE = 0x20080522, 1      # linux/capability.h


def disk_full(campaign: Campaign, run: Run, rng: np.random.Generator) -> Outcome:
    """The folder has room for 0 to 2.2 times the size of the run's file, and later for everything."""
    reference, place = campaign.reference(run), campaign.place()
    room = int(rng.uniform(0, 2.2) * reference.size)

    def work() -> int:
        watch(place.run, lambda name: None, room)
        return run.into(place.path, place.bits)()

    return ended_or_refused(run, reference, place, child.run(work, place.log()))


def small_file_system(campaign: Campaign, run: Run, rng: np.random.Generator) -> Outcome:
    """Like disk_full, with a real file system of that size in memory. Only an administrator can mount it."""
    reference, place = campaign.reference(run), campaign.place()
    room = max(1, int(rng.uniform(0.2, 2.2) * reference.size) // 4096)
    if not mount(f"nr_blocks={room}", place.run):
        return IMPOSSIBLE
    try:
        ended = child.run(run.into(place.path, place.bits), place.log())
        mount("remount,nr_blocks=0", place.run)
        return ended_or_refused(run, reference, place, ended)
    finally:
        subprocess.run(["umount", "-l", place.run], check=False, capture_output=True)
        place.remove()


def mount(options: str, folder: Path) -> bool:
    """Mount a file system in memory; return whether that was possible."""
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", os.fspath(folder)]
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def read_only_at_start(campaign: Campaign, run: Run, rng: np.random.Generator) -> Outcome:
    """The run's folder cannot be written to when the run starts. The run must be refused before training."""
    reference, place = campaign.reference(run), campaign.place()

    def work() -> int:
        place.run.chmod(0o555)
        obey_permissions()
        return run.into(place.path, place.bits)()

    ended = child.run(work, place.log())
    if not ended.refused or "epoch 1/" in ended.text:
        return Outcome(LOST, f"not refused before training: code {ended.code}, {ended.last_lines}")
    place.run.chmod(0o755)
    outcome = place.resume(run, reference, ended)
    return Outcome(REFUSED, messages=1) if outcome.result == SURVIVED else outcome


def read_only_during_run(campaign: Campaign, run: Run, rng: np.random.Generator) -> Outcome:
    """From a random file operation on, the run's folder can no longer be written to."""
    reference, place = campaign.reference(run), campaign.place()
    at = int(rng.integers(reference.operations))

    def work() -> int:
        obey_permissions()
        watch(place.run, DoAt(at, lambda: place.run.chmod(0o555)))
        return run.into(place.path, place.bits)()

    ended = child.run(work, place.log())
    place.run.chmod(0o755)
    return ended_or_refused(run, reference, place, ended)


def obey_permissions() -> None:
    """Give up the right of an administrator to write everywhere, on Linux."""
    words = ctypes.c_uint32 * 6      # effective, permitted and inheritable, of capabilities 0 to 31 and above
    header, sets = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0), words()
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0:
        if libc.capget(header, sets) != 0:
            raise OSError(ctypes.get_errno(), "capget")
        for i in range(3):
            sets[i] &= ~(1 << CAP_DAC_OVERRIDE)
        if libc.capset(header, sets) != 0:
            raise OSError(ctypes.get_errno(), "capset")


def folder_vanishes(campaign: Campaign, run: Run, rng: np.random.Generator) -> Outcome:
    """The run's folder is removed with everything in it, before a random file operation."""
    reference, place = campaign.reference(run), campaign.place()
    at = int(rng.integers(reference.operations))

    def work() -> int:
        watch(place.run, DoAt(at, lambda: shutil.rmtree(place.run)))
        return run.into(place.path, place.bits)()

    ended = child.run(work, place.log())
    if ended.code != 0 and not ended.refused:
        return Outcome(LOST, f"not in one line: code {ended.code}, {ended.last_lines}")
    place.run.mkdir(exist_ok=True)
    outcome = place.resume(run, reference)      # from the beginning, as nothing is left
    return Outcome(outcome.result, outcome.note, messages=int(ended.refused))


def file_size_limit(campaign: Campaign, run: Run, rng: np.random.Generator) -> Outcome:
    """Files that the process writes may have at most a random size, up to 1.2 times the run's file."""
    reference, place = campaign.reference(run), campaign.place()
    most = max(20_000, int(rng.uniform(0, 1.2) * reference.size))

    def work() -> int:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
        return run.into(place.path, place.bits)()

    return ended_or_refused(run, reference, place, child.run(work, place.log()))


def memory_limit(campaign: Campaign, run: Run, rng: np.random.Generator) -> Outcome:
    """The process may use 0 to 20 MB more memory than when the run starts."""
    reference, place = campaign.reference(run), campaign.place()
    more = int(rng.uniform(0, 20 << 20))

    def work() -> int:
        ctypes.CDLL(None).malloc_trim(0)        # so that memory that earlier runs freed is not used again
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0])
        used = pages * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + more, resource.RLIM_INFINITY))
        return run.into(place.path, place.bits)()

    return ended_or_refused(run, reference, place, child.run(work, place.log()))


def ended_or_refused(run: Run, reference: Reference, place: Place, ended: child.Ended) -> Outcome:
    """Check that a process ended well or with an error in one line; then continue the run."""
    if ended.code != 0 and not ended.refused:
        return Outcome(LOST, f"not in one line: code {ended.code}, {ended.last_lines}")
    return place.resume(run, reference, ended)


def clock_jumps(campaign: Campaign, run: Run, rng: np.random.Generator) -> Outcome:
    """All clocks jump by up to an hour, back or forward, at a random moment; another process continues."""
    reference, place = campaign.reference(run), campaign.place()
    after, jump = int(rng.integers(1, 40)), float(rng.uniform(-3600, 0))
    at = int(rng.integers(reference.operations)) if rng.random() < 0.5 else None

    def work() -> int:
        jump_after(after, jump)
        if at is not None:
            watch(place.run, DoAt(at, lambda: os.kill(os.getpid(), signal.SIGKILL)))
        return run.into(place.path, place.bits)()

    start = time.perf_counter()
    ended = child.run(work, place.log())
    outcome = place.resume(run, reference, ended)
    return outcome if outcome.result == LOST else check_seconds(outcome, time.perf_counter() - start)


def check_seconds(outcome: Outcome, most: float) -> Outcome:
    """LOST if the history's seconds are negative, decrease, or are more than have passed."""
    seconds = list(outcome.seconds)
    if seconds != sorted(seconds) or seconds[0] < 0 or seconds[-1] > most:
        return Outcome(LOST, f"seconds {seconds} although {most:.1f} s have passed")
    return outcome


def jump_after(calls: int, seconds: float) -> None:
    """Move the clocks of this process by some seconds after they have been read `calls` times."""
    count = 0

    def moved(clock: Any) -> Any:
        def read() -> float:
            nonlocal count
            count += 1
            return float(clock()) + (seconds if count > calls else 0.0)

        return read

    for name in ("time", "monotonic", "perf_counter"):
        setattr(time, name, moved(getattr(time, name)))


def interrupted_start(campaign: Campaign, run: Run, rng: np.random.Generator) -> Outcome:
    """Ctrl-C while a new process of the command imports the library, loads the data, or trains."""
    place = campaign.place()
    command = [sys.executable, "-m", "scratchgen", "train", "mlp", "--hidden", "8", "--epochs", "2",
               "--out", os.fspath(place.path)]
    if "start" not in campaign.studies:
        whole = ended_process(command, place, None)
        if whole.code != 0:
            raise RuntimeError(f"an undisturbed command ended with {whole.code}: {whole.text}")
        campaign.studies["start"] = whole.seconds, tensors_of(place.path)
        place.path.unlink()
    seconds, expected = campaign.studies["start"]
    moment = float(rng.uniform(0.1, 1.0)) * seconds
    ended = ended_process(command, place, moment)
    if not ended.clean or ended.code not in (0, 130, -signal.SIGINT):
        return Outcome(LOST, f"not in one line, {moment:.2f} s after the start: code {ended.code}, "
                             f"{ended.last_lines}")
    again = ended_process(command + ["--resume"] * place.path.is_file(), place, None)
    if again.code != 0 or tensors_of(place.path) != expected:
        return Outcome(LOST, f"other bits than an undisturbed run: code {again.code}, {again.last_lines}")
    place.remove()
    return Outcome(SURVIVED, messages=int(ended.code == 130))


def ended_process(command: list[str], place: Place, interrupt: float | None) -> child.Ended:
    """Run a command in a new process, which gets Ctrl-C after some seconds."""
    start, log = time.perf_counter(), place.log()
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        if interrupt is not None:
            time.sleep(interrupt)
            process.send_signal(signal.SIGINT)
        code = process.wait(child.LIMIT)
    return child.Ended(code, log.read_text(encoding="utf-8", errors="replace"), time.perf_counter() - start)


def tensors_of(path: Path) -> dict[str, str]:
    """The SHA-256 of every tensor of a file, except durations."""
    found = load_file(path)
    return {
        name: hashlib.sha256(array.tobytes()).hexdigest()
        for name, array in found.items()
        if not name.endswith("seconds")
    }
