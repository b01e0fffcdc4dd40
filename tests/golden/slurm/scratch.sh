#!/bin/bash
#SBATCH --job-name=batch-size
#SBATCH --chdir=/home/me/sweeps
#SBATCH --output=occam.db.slurm-%j.log
#SBATCH --open-mode=append
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=32
#SBATCH --gpus-per-node=8
#SBATCH --time=24:00:00
#SBATCH --signal=B:USR1@300
#SBATCH --requeue

# Written by occam submit. It trains what the database lacks, so that it may run any number of times.

set -u
db=occam.db
# Checkpoints lie on each node's own disk and are copied to $db.work now and then and at the end.
scratch=/local/occam-$SLURM_JOB_ID
copy() {
  mkdir -p "$1" "$2"
  find "$1" -name '*.ckpt' -printf '%P\n' | while read -r file; do
    [ "$1/$file" -nt "$2/$file" ] || continue
    mkdir -p "$2/${file%/*}"
    cp -p "$1/$file" "$2/$file.$BASHPID" && mv "$2/$file.$BASHPID" "$2/$file"
  done
}
copy "$db.work" "$scratch"
(
  trap exit TERM
  had=
  while sleep 300 & wait "$!"; do
    for trial in $had; do [ -d "$scratch/$trial" ] || rm -rf "$db.work/$trial"; done # finished since
    had=$(ls "$scratch")
    copy "$scratch" "$db.work"
  done
) &
copier=$!

command=(srun --mpi=none --cpus-per-task=32
  /opt/occam/bin/occam run batch-size.json --db "$db" --work "$scratch")

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

kill "$copier" 2>/dev/null
wait "$copier" # for the copy that it is at
copy "$scratch" "$db.work"
rm -rf "$scratch"
/opt/occam/bin/occam gc "$db" && rmdir --ignore-fail-on-non-empty "$db.work" # what is finished needs no checkpoints

if [ "$code" = 75 ] && [ "$warned" = yes ] && [ "$stopped" = no ]; then
  echo "$(date): out of time with work left; requeueing" >&2
  scontrol requeue "$SLURM_JOB_ID" || echo "cannot requeue from here: submit again, or use --chain" >&2
fi
exit "$code"
