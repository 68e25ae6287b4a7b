#!/usr/bin/env bash
# ResQ's larger networks on CamVid, on a machine with one large GPU: each is trained in floating point, then at
# the low bits of Table 1 with all layers alike, and scored; results/resq_table1_NETWORK_resq.json and .png.
#
#     bash experiments/gpu.sh DATA OUTPUT [NETWORK ...]        # default: ddrnet23 ddrnet39
#
# DATA holds camvid/. Stops by itself after MINUTES (10), with all states kept in OUTPUT: the same command goes
# on from there. EPOCHS (100) in floating point, PASSES (9) at low bits; PYTHON (python) runs it all.
# HRNet-W32, the paper's network for poses, needs JHMDB and weights: resq_figure3.py --jhmdb.
set -euo pipefail
usage="usage: bash experiments/gpu.sh DATA OUTPUT [NETWORK ...]"
data=${1:?$usage} output=${2:?$usage}
shift 2
python=${PYTHON:-python} epochs=${EPOCHS:-100}
ends=$(($(date +%s) + 60 * ${MINUTES:-10}))
here=$(dirname "${BASH_SOURCE[0]}")

# Ctrl-C is what makes a training keep its state.
within() {
    local left=$((ends - $(date +%s)))
    ((left > 0)) || { echo "out of time; the same command goes on" >&2; exit 124; }
    timeout --signal=INT "$left" "$@"
}

[ $# -gt 0 ] || set -- ddrnet23 ddrnet39
for network in "$@"; do
    folder=$output/$network
    if [ ! -e "$folder/done" ]; then
        state=()
        [ ! -e "$folder/training.safetensors" ] || state=(--resume)
        within "$python" -m videoquant train "$network" --dataset "camvid:$data/camvid" -o "$folder" \
            --epochs "$epochs" --validate-every "$epochs" "${state[@]}"
        touch "$folder/done"
    fi
    within "$python" "$here/resq_table1.py" --network "$network" --checkpoint "$folder/weights.safetensors" \
        --data "$data" --networks "$output/networks" --conventions resq --passes "${PASSES:-9}" \
        --schemes w8a8 w4a4 "w8a8->w4a4 T=3"
done
