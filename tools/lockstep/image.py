"""Guest images: assembled with the GNU tools, and put into the ROM that starts them on the peers."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROM_BYTES = 128 * 1024
IMAGE_BYTES = 64 * 1024
LOAD_AT = 0x10000


@dataclass
class Image:
    flat: Path  # what vtsim loads
    rom: Path  # what the peers start from
    start: int  # linear address of the first instruction to compare
    start_rip: int  # and where it is in its code segment
    end_rip: int = -1  # the last one
    logged: int = 0  # linear address of the image's last byte
    megabytes: int = 64
    payload: Path | None = None  # bytes that lie in memory from the start
    payload_at: int = 0
    elf: Path | None = None  # image and payload together, for vtsim

    def vtsim_arguments(self):
        if self.elf:
            return ["--kernel", str(self.elf), "--memory", f"{self.megabytes}M"]
        return ["--kernel", str(self.flat), "--load-at", hex(LOAD_AT), "--memory",
                f"{self.megabytes}M"]


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}:\n{done.stderr[:4000]}")
    return done.stdout


def assemble(source, folder, symbols=(), base=0):
    """A flat binary of an assembly file, and its symbols."""
    stem = folder / Path(source).stem
    defines = [word for name, value in symbols for word in ("--defsym", f"{name}={value}")]
    run("as", "--32", "-I", HERE, *defines, "-o", f"{stem}.o", source)
    run("ld", "-m", "elf_i386", f"-Ttext={base:#x}", "-e", hex(base), "-o", f"{stem}.elf",
        f"{stem}.o")
    run("objcopy", "-O", "binary", "-j", ".text", f"{stem}.elf", f"{stem}.bin")
    table = {}
    for line in run("nm", f"{stem}.elf").splitlines():
        value, _, name = line.split()
        table[name] = int(value, 16)
    return Path(f"{stem}.bin"), table


def build_rom(flat, folder, symbols=()):
    """The ROM that puts an image of IMAGE_BYTES to LOAD_AT and goes there."""
    starter, _ = assemble(HERE / "rom.S", folder, symbols=[("ROM_BYTES", ROM_BYTES), *symbols])
    rom = bytearray(starter.read_bytes())
    rom[:IMAGE_BYTES] = flat.read_bytes()
    path = folder / "image.rom"
    path.write_bytes(rom)
    return path


def build_image(source, folder):
    """From an assembly file with the symbols lockstep_start and lockstep_end (offsets)."""
    flat, symbols = assemble(source, folder)
    size = flat.stat().st_size
    if size > IMAGE_BYTES:
        raise RuntimeError(f"{source}: {size} bytes are more than an image may have")
    flat.write_bytes(flat.read_bytes().ljust(IMAGE_BYTES, b"\0"))
    return Image(flat, build_rom(flat, folder), LOAD_AT + symbols["lockstep_start"],
                 symbols["lockstep_start"], symbols["lockstep_end"], LOAD_AT + IMAGE_BYTES - 1)
