"""Residual schemes beside frame schemes of the same bits, with the frame's own codes and without.

    python experiments/frame_codes.py [--data DIR] [--only NETWORK ...]

SQNR of the first output of every network of `--data` on two clips of a parked camera: about 16 frames of a
clip's first half calibrate, 36 in a row of its second half are scored, the first a keyframe. Writes
results/frame_codes.json, row by row: what was stopped goes on where it was. Before a moving camera:
`resq_camvid.py`.
"""

import json

from common import RESULTS, arguments, run, store

import videoquant as vq
from videoquant.calibration.sampling import calibration_runs, calibration_spans
from videoquant.tasks import primary_output
from videoquant.tasks.sqnr import Sqnr

CLIPS = ("one-by-one-person-detection", "car-detection")
FRAME = ("w4a4", "w4a8", "w8a4")
RESIDUAL = ("w8a8->w4a4 T=3", "w8a8->w8a4 T=3", "w8a8->w4a4 T=12", "w8a8->w8a4 T=12")
SCHEMES = (*FRAME, *(f"{text}{word}" for text in RESIDUAL for word in ("", " always-residual")))
SCORED = 36


def main() -> None:
    parser = arguments(__doc__.splitlines()[0], carphone=False)
    parser.add_argument("--only", nargs="+", help="networks, by a part of their file's name")
    options = parser.parse_args()
    path = RESULTS / "frame_codes.json"
    rows = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for model in sorted((options.data / "models").glob("*.onnx"), key=lambda file: file.stat().st_size):
        if options.only and not any(part in model.stem for part in options.only):
            continue
        network = vq.load(model)
        for clip in CLIPS:
            source = vq.frames(options.data / f"clips/{clip}.mp4")
            for text in SCHEMES:
                key = f"{model.stem}, {clip}, {text}"
                if key not in rows:
                    rows[key] = measured(network, source, text)
                    store("frame_codes", rows)
                    print(f"{key}: {rows[key]['sqnr_db']:.2f} dB", flush=True)


def measured(network, source, text):
    """SQNR, and how many quantizers take the frame's codes on residual frames."""
    scheme, half = vq.Scheme.parse(text), len(source) // 2
    spans = calibration_spans([range(half)], scheme.period, calibration_runs(scheme))
    quantized = vq.quantize(network, scheme, list(source.runs(spans)))
    stream, total = quantized.stream(), Sqnr()
    name = primary_output(network)
    for frame in source.runs([range(half, half + SCORED)]):
        x = network.prepare(frame)
        total.update(run(network, x)[name], stream.run(x)[name])
    taken = [grids.of_frame for grids in quantized.grids.values()]
    return {"sqnr_db": total.result(), "of_frame": sum(taken), "quantizers": len(taken)}


if __name__ == "__main__":
    main()
