#!/bin/bash
#SBATCH --job-name=batch-size
#SBATCH --chdir=/home/me/sweeps
#SBATCH --output=occam.db.slurm-%j.log
#SBATCH --open-mode=append
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=32
#SBATCH --time=2:00:00
#SBATCH --signal=B:USR1@600
#SBATCH --no-requeue

# Written by occam submit. It trains what the database lacks, so that it may run any number of times.

set -u
db=occam.db
command=(srun --mpi=none --cpus-per-task=32
  /opt/occam/bin/occam run batch-size.json --db "$db")

# USR1 comes from Slurm before the time is up: checkpoint, then ask for another turn. TERM comes when
# the job is preempted, which Slurm itself requeues, or cancelled, which stays so; the run has it too.
warned=no
stopped=no
run=
trap 'warned=yes; [ -z "$run" ] || kill -USR1 "$run"' USR1
trap 'stopped=yes' TERM

code=75
for turn in 1 2 3; do
  [ "$warned$stopped" = nono ] || break
  [ "$turn" = 1 ] || echo "$(date): ended with code $code; goes on from what is recorded" >&2
  "${command[@]}" &
  run=$!
  wait "$run"
  while kill -0 "$run" 2>/dev/null; do wait "$run"; done # a trap ends a wait, not the run
  wait "$run"
  code=$?
  # Left with work to do, or ended by a signal, and none was for the job: a process or a node was lost.
  [ "$code" = 75 ] || [ "$code" -gt 128 ] || break
done
exit "$code"
