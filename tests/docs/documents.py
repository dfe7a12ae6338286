"""What the project's texts claim: commands in fences tagged `sh`, output blocks, commands and paths in
inline code, and the manual page's examples. Nothing here runs anything."""

import re
import shutil
from dataclasses import dataclass, field

FENCE = re.compile(r"^```(\w*)\s*$")
OUTPUT_OF = re.compile(r"^<!-- output of: (.*?) -->$")
INLINE = re.compile(r"`([^`\n]+)`")
# Words that are both a program's name and plain English at the beginning of a line of a drawing.
PLAIN_WORDS = {"time", "which", "test", "what", "core", "memory"}


@dataclass
class Block:
    line: int  # of the opening fence, from 1
    tag: str
    text: str
    output_of: str = ""  # the command whose output the block shows


@dataclass
class Document:
    path: str
    blocks: list = field(default_factory=list)
    inline: list = field(default_factory=list)  # (line, text)

    def scripts(self):
        return [b for b in self.blocks if b.tag == "sh"]

    def outputs(self):
        return [b for b in self.blocks if b.output_of]


def parse_markdown(path, text):
    document = Document(path)
    block, output_of, prose = None, "", []
    for number, line in enumerate(text.split("\n"), 1):
        fence = FENCE.match(line)
        if block is not None:
            if fence:
                document.blocks.append(block)
                block = None
            else:
                block.text += line + "\n"
            continue
        if fence:
            block = Block(number, fence[1], "", output_of)
            output_of = ""
            continue
        marker = OUTPUT_OF.match(line)
        if marker:
            output_of = marker[1]
        elif line.strip():
            output_of = ""
        prose.append((number, line))
    if block is not None:
        raise ValueError(f"{path}:{block.line}: this fence is not closed")
    for number, line in prose:
        document.inline += [(number, code) for code in INLINE.findall(line)]
    return document


def parse_manual(path, text):
    """The examples of a troff page: preformatted lines behind `Example...:`."""
    document = Document(path)
    script, first = "", 0
    inside = False
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("Example"):
            inside, first, script = True, number, ""
        elif inside and line.startswith("  "):
            script += line.strip().replace("\\-", "-").replace("\\e", "\\") + "\n"
        elif inside:
            document.blocks.append(Block(first, "sh", script))
            inside = False
    return document


def find_documents(root):
    """Every text that tells a user what to type."""
    paths = [p for p in root.rglob("*.md")
             if not any(part.startswith((".", "build")) for part in p.relative_to(root).parts)]
    documents = [parse_markdown(p.relative_to(root).as_posix(), p.read_text()) for p in sorted(paths)]
    manual = root / "docs/vtsim.1"
    documents.append(parse_manual("docs/vtsim.1", manual.read_text()))
    return documents


def is_program(root, word):
    if word in PLAIN_WORDS:
        return False
    if "/" in word:
        return word.startswith("build/") or (root / word).is_file()
    return word == "vtsim" or (word.islower() and shutil.which(word) is not None)


def untagged_commands(root, document):
    """Lines of blocks that are neither scripts nor output, and begin with a program's name."""
    for block in document.blocks:
        if block.tag == "sh" or block.output_of:
            continue
        for offset, line in enumerate(block.text.split("\n"), 1):
            words = line.split()
            if words and is_program(root, words[0].removeprefix("$")):
                yield f"{document.path}:{block.line + offset}: looks like a command: tag the fence `sh`, " \
                      f"or say whose output it is: {line.strip()}"


# What differs from run to run, and from release to release of what is fetched.
MASKS = [
    r"\[ *\d+\.\d+\]",                             # the kernel's time
    r"\b\d+\.\d+\.\d+-\d+-",                       # its version
    r"\d+ instructions in [\d.]+ s: \d+ MIPS",     # the host's speed
]


def line_pattern(line):
    """A line of an output block as a regular expression. `...` at its end stands for anything. Lines
    that begin with a count, in a column, tell what this version counts: any numbers are right."""
    rest_is_open = line.endswith("...")
    line = line.removesuffix("...").rstrip()
    masks = MASKS + ([r"^ +", r"\d+"] if re.match(r" {3,}\d", line) else [])
    pattern, at = "", 0
    for hit in re.finditer("|".join(f"({mask})" for mask in masks), line):
        pattern += re.escape(line[at:hit.start()]) + masks[hit.lastindex - 1]
        at = hit.end()
    pattern += re.escape(line[at:])
    return re.compile(pattern + (".*" if rest_is_open else r"\s*"))


def compare_output(shown, real):
    """None, or what of the lines `shown` is not in `real`. A line `...` stands for any lines; without
    one, lines stand one behind the other, the first first and the last last."""
    have = [line.rstrip("\r") for line in real.split("\n") if line.strip()]
    at, gap = 0, False
    for line in [s for s in shown.split("\n") if s.strip()]:
        if line.strip() == "...":
            gap = True
            continue
        pattern = line_pattern(line)
        end = len(have) if gap else min(at + 1, len(have))
        found = next((n for n in range(at, end) if pattern.fullmatch(have[n])), None)
        if found is None:
            there = have[at] if at < len(have) else "(the end)"
            return f"shown: {line}\n  there: {there}"
        at, gap = found + 1, False
    if not gap and at != len(have):
        return f"shown: (the end)\n  there: {have[at]}"
    return None


def inline_problem(root, code, options_of, make_targets):
    """What is wrong with a command or path in inline code, or None. `options_of(command)` is the help
    text of a vtsim command, or None; capitals and <> stand for what a user puts there."""
    words = code.split()
    program, arguments = words[0], words[1:]
    if program == "make":
        wrong = [w for w in arguments if "=" not in w and w not in make_targets]
        return f"the Makefile has no target {wrong[0]}" if wrong else None
    if program in ("vtsim", "build/vtsim"):
        return vtsim_problem(arguments, options_of)
    top, slash, _ = program.partition("/")
    if slash and top not in ("", ".", "build") and (root / top).is_dir():
        pattern = re.sub(r"<[^>]*>|[A-Z]{3,}", "*", program.rstrip("/.,"))
        pattern = re.sub(r"\{[^}]*\}", "*", pattern)
        if not any(root.glob(pattern)):
            return "there is no such file"
    return None


def vtsim_problem(arguments, options_of):
    if not arguments or not re.fullmatch(r"[a-z]+", arguments[0]):
        return None
    help_text = options_of(arguments[0])
    if help_text is None:
        return f"vtsim has no command {arguments[0]}"
    known = set(re.findall(r"--[a-z-]+", help_text))
    wrong = [w for w in arguments if w.startswith("--") and w.split("=")[0] not in known]
    return f"vtsim {arguments[0]} has no option {wrong[0]}" if wrong else None


def make_targets(makefile_text):
    return set(re.findall(r"^([a-z]+):", makefile_text, re.M))

