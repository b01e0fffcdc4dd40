"""Fails where the worker copies, fills or launches on a GPU without naming a stream of its own: what goes to the default
one may come after a trial's stream has read it."""
import pathlib
import re
import sys

CALL = re.compile(r"\bcu(da)?(Mem(cpy|set)\w*|\w*Async)\s*\(")
LAUNCH = re.compile(r"<<<(.*?)>>>", re.S)


def arguments(text, begin):
    """Of the call whose "(" is at `begin`."""
    parts, depth = [""], 0
    for letter in text[begin:]:
        depth += (letter in "([{") - (letter in ")]}")
        if depth == 0:
            return [part.strip() for part in parts]
        if letter == "," and depth == 1:
            parts.append("")
        elif depth > 1 or letter not in "([{":
            parts[-1] += letter


def problems(text):
    """Places in the text, each with what is wrong there."""
    text = re.sub(r"//[^\n]*", lambda comment: " " * len(comment[0]), text)
    for call in CALL.finditer(text):
        if "Async" not in call[0]:
            yield call.start(), "waits for no stream of ours: use its Async form"
        elif "stream" not in arguments(text, call.end() - 1)[-1]:
            yield call.start(), "names no stream"
    for launch in LAUNCH.finditer(text):
        given = arguments("(" + launch[1] + ")", 0)
        if len(given) != 4 or "stream" not in given[3]:
            yield launch.start(), "names no stream"


BAD = ["cudaMemcpy(a, b, n, k);", "cudaMemset (a, 0, n);", "cudaMemcpyToSymbol(a, b, n);", "cuMemcpyHtoD(a, b, n);",
       "cuMemcpyHtoDAsync(a, b, n, 0);",
       "cudaMemcpyAsync(a, f(b, c), n, k);", "cudaMemcpyAsync(a, b, n, k, 0);", "cudaMemsetAsync(a, 0, n);",
       "k<<<blocks, threads>>>(a);", "k<<<dim3(a, b), dim3(c, d), bytes>>>(a);", "k<<<b,\n  t, 0, nullptr>>>(a);",
       "k<<<p->blocks, threads, 0, 0>>>(a);"]  # fmt: skip
GOOD = ["cudaMemcpyAsync(a, f(b, c), n, k, stream_);", "k<<<dim3(a, b), t, 0, stream>>>(a);", "// cudaMemcpy(a)",
        "cudaMemsetAsync(a, 0, n, stream());"]  # fmt: skip
missed = [text for text in BAD if not list(problems(text))] + [text for text in GOOD if list(problems(text))]
if missed:
    sys.exit(f"this test judges wrongly of {missed}")

root = pathlib.Path(sys.argv[1])
files = []
for folder in ("worker", "tests/worker"):
    sources = [file for file in sorted((root / folder).rglob("*")) if file.suffix in (".cu", ".cuh", ".cc", ".h")]
    if not sources:
        sys.exit(f"{root}/{folder}: no sources")
    files += sources
found = 0
for file in files:
    text = file.read_text()
    for place, what in problems(text):
        found += 1
        line = text.count("\n", 0, place) + 1
        print(f"{file.relative_to(root)}:{line}: {text.splitlines()[line - 1].strip()}: {what}")
sys.exit(1 if found else 0)
