"""Compiles the golden LaTeX table as it is, with booktabs alone: python3 latex.py REPOSITORY

Exits 77 (skipped) where there is no pdflatex with booktabs.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

table = pathlib.Path(sys.argv[1], "tests/golden/table.tex").read_text()
if not shutil.which("pdflatex") or subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True).returncode:
    print("no pdflatex with booktabs here (texlive-latex-recommended)")
    sys.exit(77)
with tempfile.TemporaryDirectory() as folder:
    document = pathlib.Path(folder, "document.tex")
    document.write_text("\\documentclass{article}\n\\usepackage[a3paper,landscape,margin=1cm]{geometry}\n\\usepackage{booktabs}\n"
                        "\\begin{document}\n" + table + "\\end{document}\n")
    made = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", document.name], cwd=folder,
                          capture_output=True, text=True, errors="replace")
    bad = [line for line in made.stdout.splitlines() if line.startswith("!") or "Overfull" in line]
    if len(sys.argv) > 2:
        shutil.copy(pathlib.Path(folder, "document.pdf"), sys.argv[2])
    if made.returncode or bad:
        print(made.stdout[-3000:])
        sys.exit(1)
print("compiles")
