#!/bin/sh
# Makes everything in demo/ again: held-out files, tokenizers, the models, canaries, figures.
set -eu
cd "$(dirname "$0")"
# The matrices are small: a second thread costs more than it gains.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
python=${PYTHON:-/usr/bin/python3}
for step in prepare.py "train.py base" "train.py finetune" export.py evaluate.py \
    "-m encoder.train" "-m encoder.export" "-m encoder.evaluate"; do
    $python $step
done
