#!/usr/bin/env python3
"""Keeps the include arrows of docs/architecture.md: which folder may include which, where SystemC,
YAML and Zydis may appear. Usage: check_includes.py SOURCE_DIR; exit status 1 names each violation."""

import pathlib
import re
import sys

# folder -> folders whose headers it may include, besides its own
ARROWS = {
    "model/base": [],
    "model/timing": ["model/base"],
    "model/mmu": ["model/base", "model/timing"],
    "model/cpu": ["model/base", "model/timing", "model/mmu", "model/vmx"],
    "model/vmx": ["model/base", "model/timing", "model/mmu", "model/cpu/state"],
    "model/iommu": ["model/base", "model/timing", "model/mmu"],
    "model/device": ["model/base"],
    "model/chipset": ["model/base", "model/device"],
    "sim/config": ["model/base", "model/cpu"],
    "sim/firmware_tables": ["model/base"],
    "sim/loader": ["model/base", "sim/firmware_tables"],
    "sim/stats": ["model/base", "model/vmx"],
    "sim/observe": ["model/base", "model/cpu"],
    "sim/cli": ["model/base", "sim/config", "sim/stats", "sim/observe"],
    "sim/machine": ["model", "sim/config", "sim/firmware_tables", "sim/loader", "sim/stats",
                    "sim/observe", "sim/cli"],
}
# file that joins everything
EXCEPTIONS = {"sim/cli/main.cc": ["sim/machine"]}

INCLUDE = re.compile(r'^\s*#\s*include\s+[<"]([^>"]+)[>"]', re.M)


def folder_of(path):
    return next((f for f in ARROWS if path.startswith(f + "/")), None)


def allowed_library(path, header):
    name = pathlib.PurePath(path).stem
    if header in ("systemc", "tlm") or header.startswith("tlm_utils/"):
        # The machine's builder and run loop start the SystemC kernel.
        return name.endswith("_module") or path.startswith("sim/machine/")
    if header.startswith("yaml-cpp/"):
        return path.startswith("sim/")
    if header.startswith("Zydis/"):
        return path == "model/cpu/decode.h"
    return True


def violations(root):
    files = [p for top in ("model", "sim") for p in sorted((root / top).rglob("*"))
             if p.suffix in (".h", ".cc")]
    if len(files) < 50:
        yield f"only {len(files)} source files found below {root}: wrong folder?"
    for file in files:
        path = file.relative_to(root).as_posix()
        folder = folder_of(path)
        if folder is None:
            yield f"{path}: a folder without arrows; add it to {pathlib.Path(__file__).name}"
            continue
        targets = [folder, *ARROWS[folder], *EXCEPTIONS.get(path, [])]
        for header in INCLUDE.findall(file.read_text()):
            if header.startswith(("model/", "sim/")):
                if not any(header.startswith(t + "/") for t in targets):
                    yield f"{path}: includes {header}, against the arrows of {folder}"
            elif not allowed_library(path, header):
                yield f"{path}: includes <{header}>, which does not belong there"


def main():
    found = list(violations(pathlib.Path(sys.argv[1])))
    print("\n".join(found) if found else "all includes follow the arrows")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
