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
    end: int = 0  # linear address behind the last one
    logged: int = 0  # linear address of the image's last byte
    megabytes: int = 64
    disk: Path | None = None

    def vtsim_arguments(self):
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


def build_image(source, folder):
    """From an assembly file with the symbols lockstep_start and lockstep_end (offsets)."""
    flat, symbols = assemble(source, folder)
    size = flat.stat().st_size
    if size > IMAGE_BYTES:
        raise RuntimeError(f"{source}: {size} bytes are more than an image may have")
    starter, _ = assemble(HERE / "rom.S", folder, symbols=[("ROM_BYTES", ROM_BYTES)])
    flat.write_bytes(flat.read_bytes().ljust(IMAGE_BYTES, b"\0"))
    rom = bytearray(starter.read_bytes())
    rom[:IMAGE_BYTES] = flat.read_bytes()
    path = folder / "image.rom"
    path.write_bytes(rom)
    return Image(flat, path, LOAD_AT + symbols["lockstep_start"], LOAD_AT + symbols["lockstep_end"],
                 LOAD_AT + IMAGE_BYTES - 1)
