#!/usr/bin/env python3
"""Runs a guest on vtsim and on another machine side by side, instruction by instruction, and tells
where they part.

  lockstep.py random --vtsim build/vtsim [--peer bochs|qemu] [--seed N] [--count N] [--modes M,...]
  lockstep.py source FILE.S --vtsim build/vtsim [--peer bochs|qemu]
  lockstep.py linux --kernel VMLINUZ --vtsim build/vtsim [--peer bochs|qemu] [--steps N]

Exit status: 0 equal, 1 they part, 77 the peer is not installed.
"""

import argparse
import itertools
import os
import sys
import tempfile
import time
from pathlib import Path

import bochs_run
import generate
import linux_boot
import peer_errors
import qemu_run
from compare import Comparison
from entry import merge_repeats
from image import HERE, LOAD_AT, build_image
from nature import NatureComparison
from vtsim_run import VtsimRun

SKIPPED = 77
PEERS = {"bochs": bochs_run, "qemu": qemu_run}
# Descriptors' accessed bits and the TSS: written by the processor in units of its own choice.
TABLES = (range(LOAD_AT, LOAD_AT + 0x10000),)
STEPS = 400_000


def make_peer(name, image, folder, commands=None):
    if name == "bochs":
        return bochs_run.BochsRun(image, folder, STEPS, commands=commands)
    os.mkfifo(folder / "qemu.log")
    return qemu_run.QemuRun(image, folder)


def make_vtsim(options, image, folder, log="commit.log"):
    fifo = folder / log
    os.mkfifo(fifo)
    return VtsimRun(options.vtsim, image.vtsim_arguments(), fifo, options.platform)


def run_parties(comparison, vtsim, ours, peer, most=None):
    try:
        return comparison.run(ours, peer.entries(), most)
    finally:
        vtsim.stop()
        peer.stop()


def run_image(options, source, folder, peer):
    image = build_image(source, folder)
    comparison = Comparison(peer, image.start_rip, TABLES, memory=peer == "bochs")
    vtsim = make_vtsim(options, image, folder)
    ours = merge_repeats(until(vtsim.entries(), image.end_rip))
    return run_parties(comparison, vtsim, ours, make_peer(peer, image, folder))


def until(entries, end):
    """Up to the instruction at this RIP."""
    for entry in entries:
        yield entry
        if entry.rip == end:
            return


class Totals:
    def __init__(self):
        self.images = self.equal = self.states = self.bytes = self.failed = 0

    def add(self, result):
        self.images += 1
        self.equal += result.equal
        self.states += result.states
        self.bytes += result.bytes_written
        self.failed += bool(result.divergence)

    def text(self, peer):
        return f"{peer}: {self.images} images, {self.equal} instructions equal, {self.states} " \
            f"register values, {self.bytes} bytes written; {self.failed} images part"


def run_one(options, name, text, peer, totals):
    with tempfile.TemporaryDirectory(prefix="lockstep-") as folder:
        folder = Path(folder)
        source = folder / "image.S"
        source.write_text(text)
        result = run_image(options, source, folder, peer)
        totals.add(result)
        if result.divergence:
            print(f"{name}: {result.divergence}")
            if options.keep:
                Path(options.keep).write_text(text)
        elif options.verbose:
            print(f"{name}: {result.equal} equal")


def command_random(options, peers):
    failed = 0
    for peer in peers:
        totals = Totals()
        began = time.monotonic()
        print(f"{peer}: seeds from {options.seed}", flush=True)
        for n in range(options.count):
            if options.seconds and time.monotonic() - began > options.seconds:
                break
            seed = options.seed + n
            modes = options.modes.split(",") if options.modes else generate.MIXED
            text = generate.program(seed, modes, options.groups,
                                    limits=peer not in peer_errors.NO_LIMITS,
                                    avoided=peer_errors.avoided(peer))
            run_one(options, f"seed {seed}, {peer}", text, peer, totals)
        print(totals.text(peer), flush=True)
        failed += totals.failed
    return failed


def command_source(options, peers):
    failed = 0
    for peer in peers:
        totals = Totals()
        run_one(options, options.source, Path(options.source).read_text(), peer, totals)
        print(totals.text(peer))
        failed += totals.failed
    return failed


def command_linux(options, peers):
    failed = 0
    for peer in peers:
        with tempfile.TemporaryDirectory(prefix="lockstep-") as folder:
            folder = Path(folder)
            image = linux_boot.build(Path(options.kernel), folder)
            commands = None
            if peer == "bochs":  # it would tell of every iteration of what copies the kernel
                vtsim = make_vtsim(options, image, folder, "first.log")
                entries = itertools.dropwhile(lambda entry: entry.rip != image.start_rip,
                                              merge_repeats(vtsim.entries()))
                commands = bochs_run.commands_around(image, entries, options.steps)
                vtsim.stop()
            comparison = NatureComparison(peer, image.start_rip, memory=peer == "bochs")
            vtsim = make_vtsim(options, image, folder)
            ours = (entry for entry in merge_repeats(vtsim.entries())
                    if not (commands and entry.is_long))
            result = run_parties(comparison, vtsim, ours, make_peer(peer, image, folder, commands),
                                 options.steps)
        if result.divergence:
            print(result.divergence)
        told = ", ".join(sorted({source.split()[0] for source in comparison.sources})) or "nothing"
        print(f"{peer}: {result.equal} instructions in the same order; "
              f"{result.equal - comparison.explained} found all registers equal, the others differ in "
              f"what came from {told}; {result.bytes_written} equal bytes written")
        failed += result.equal < options.steps and not comparison.tainted
    return failed


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("random", "source", "linux"):
        command = commands.add_parser(name)
        command.add_argument("--vtsim", default=str(HERE.parent.parent / "build" / "vtsim"))
        command.add_argument("--platform", default="q35-haswell")
        command.add_argument("--peer", choices=sorted(PEERS), action="append")
        command.add_argument("--keep", help="where the program of a divergence is written")
        command.add_argument("--verbose", action="store_true")
        if name == "source":
            command.add_argument("source")
        if name == "linux":
            command.add_argument("--kernel", required=True)
            command.add_argument("--steps", type=int, default=100_000)
        if name != "random":
            continue
        command.add_argument("--seed", type=int, default=1)
        command.add_argument("--count", type=int, default=int(os.environ.get("LOCKSTEP_IMAGES", 2)),
                             help="images, each with the next seed (LOCKSTEP_IMAGES, or 2)")
        command.add_argument("--seconds", type=float, help="begin no image after so long, per peer")
        command.add_argument("--groups", type=int, default=800)
        command.add_argument("--modes", help=", ".join(generate.MODES))
    return parser.parse_args()


def main():
    options = parse_arguments()
    wanted = options.peer or sorted(PEERS)
    peers = [name for name in wanted if PEERS[name].available()]
    for name in sorted(set(wanted) - set(peers)):
        print(f"skipped: {name} is not installed")
    if not peers:
        return SKIPPED
    run = {"random": command_random, "source": command_source,
           "linux": command_linux}[options.command]
    return 1 if run(options, peers) else 0


if __name__ == "__main__":
    sys.exit(main())
