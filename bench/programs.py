"""What the benchmarks ask of a machine before they start anything."""

import shutil


def need_programs(parser, folder, *names):
    for name in names:
        if not shutil.which(folder / name):
            parser.exit(2, f"{parser.prog}: there is no program {folder / name}; name the folder that has it, such as "
                           f"build/release/bin after `ninja -C build/release {name}`\n")


def need_mpirun(parser):
    if not shutil.which("mpirun"):
        parser.exit(2, f"{parser.prog}: there is no mpirun; Debian's is in openmpi-bin\n")
