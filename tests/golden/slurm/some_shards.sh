#!/bin/bash
#SBATCH --job-name=batch-size
#SBATCH --chdir=/home/me/sweeps
#SBATCH --output=occam.db.slurm-%A_%a.log
#SBATCH --open-mode=append
#SBATCH --array=3,11%1
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=32
#SBATCH --gpus-per-node=8
#SBATCH --time=24:00:00
#SBATCH --signal=B:USR1@300
#SBATCH --requeue

# Written by occam submit. Each task trains its part of the sweep into a file of its own.

set -u
mkdir -p occam.db.shards
db=occam.db.shards/$SLURM_ARRAY_TASK_ID-of-16.db
command=(srun --mpi=none --cpus-per-task=32
  /opt/occam/bin/occam run batch-size.json --shard "$SLURM_ARRAY_TASK_ID/16" --done-in occam.db --db "$db")

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

if [ "$code" = 75 ] && [ "$warned" = yes ] && [ "$stopped" = no ]; then
  echo "$(date): out of time with work left; requeueing" >&2
  scontrol requeue "$SLURM_JOB_ID" || echo "cannot requeue from here: submit again, or use --chain" >&2
fi
exit "$code"
