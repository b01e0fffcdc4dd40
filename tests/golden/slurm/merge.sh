#!/bin/bash
#SBATCH --job-name=batch-size-merge
#SBATCH --chdir=/home/me/sweeps
#SBATCH --output=occam.db.slurm-%j.log
#SBATCH --open-mode=append
#SBATCH --ntasks=1
#SBATCH --time=1:00:00
#SBATCH --partition=gpu

# Written by occam submit. Takes what the shards have recorded into one database; may run again.

set -u
/opt/occam/bin/occam merge occam.db occam.db.shards/*-of-4.db
