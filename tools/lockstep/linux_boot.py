"""A Linux kernel's start as an image: the kernel lies in memory as its boot protocol wants it, and the
same few instructions enter it on every party. No firmware, no ACPI, no KASLR."""

import struct

from image import HERE, LOAD_AT, Image, assemble, build_rom

KERNEL_AT = 0x1000000
COMMAND_LINE = b"nokaslr acpi=off\0"
MEGABYTES = 256
RAM = 1
SETUP_HEADER = 0x1F1


def boot_params(kernel, command_line_at):
    """The zero page: setup header, memory map, command line. Linux "The Linux/x86 Boot Protocol"."""
    page = bytearray(4096)
    end = 0x202 + kernel[0x201]
    page[SETUP_HEADER:end] = kernel[SETUP_HEADER:end]
    page[0x210] = 0xFF  # an unknown loader
    struct.pack_into("<I", page, 0x214, KERNEL_AT)
    struct.pack_into("<I", page, 0x228, command_line_at)
    struct.pack_into("<Q", page, 0x070, LOAD_AT + 0xF000)  # an RSDP, so that none is looked for
    ranges = ((0, 0x9F000), (0x100000, (MEGABYTES << 20) - 0x100000))
    page[0x1E8] = len(ranges)
    for n, (base, size) in enumerate(ranges):
        struct.pack_into("<QQI", page, 0x2D0 + 20 * n, base, size, RAM)
    return page


def write_elf(path, entry, segments):
    """A 32-bit executable of (address, bytes)."""
    header, row = 52, 32
    offset = header + row * len(segments)
    rows, body = b"", b""
    for address, data in segments:
        rows += struct.pack("<8I", 1, offset + len(body), address, address, len(data), len(data), 7, 1)
        body += data
    ident = b"\x7fELF\1\1\1" + bytes(9)
    path.write_bytes(ident + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, entry, header, 0, 0, header, row,
                                         len(segments), 0, 0, 0) + rows + body)


def build(kernel_path, folder):
    kernel = kernel_path.read_bytes()
    if kernel[0x202:0x206] != b"HdrS":
        raise RuntimeError(f"{kernel_path}: not a bzImage")
    setup_sectors = kernel[0x1F1] or 4
    payload = folder / "kernel.bin"
    payload.write_bytes(kernel[(setup_sectors + 1) * 512:])
    flat, symbols = assemble(HERE / "linux_entry.S", folder)
    image = bytearray(flat.read_bytes())
    at = symbols["command_line"]
    image[at:at + len(COMMAND_LINE)] = COMMAND_LINE
    page = boot_params(kernel, LOAD_AT + at)
    image[symbols["boot_params"]:symbols["boot_params"] + len(page)] = page
    flat.write_bytes(image)
    elf = folder / "linux.elf"
    write_elf(elf, LOAD_AT, [(LOAD_AT, bytes(image)), (KERNEL_AT, payload.read_bytes())])
    rom = build_rom(flat, folder, symbols=[
        ("PROTECTED", 1), ("PAYLOAD", KERNEL_AT), ("PAYLOAD_END", KERNEL_AT + payload.stat().st_size)])
    start = LOAD_AT + symbols["lockstep_start"]
    return Image(flat, rom, start, start, logged=(MEGABYTES << 20) - 1, megabytes=MEGABYTES,
                 payload=payload, payload_at=KERNEL_AT, elf=elf)
