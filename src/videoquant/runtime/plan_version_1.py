"""Plans of version 1, which videoquant 0.1 wrote: the header of their file, turned into one of today's.

Its range updates ("pauses") lay beside the programs, with the shapes of their values and with predictors as
calibration had them; what now runs after the programs ("tail") had its tensors in the file under "tail/".
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from videoquant.ranges.features import FIRST_SAMPLES, sample_steps


def from_version_1(header: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """The header of a version-1 file, with its arrays in it, as a version-2 one. It checks nothing.

    tensors: of the file, by name. Raises whatever a header raises that is none.
    """
    spec, dense = header["spec"], header["scheme"]["representation"]["kind"] == "DenseSparse"
    pauses = header["pauses"]
    return {
        **{key: header[key] for key in ("name", "input_shape", "preprocessing", "scheme", "outputs")},
        "slots": spec["slots"],
        "grids": spec["grids"],
        "programs": {
            name: {"ops": ops, "updates": [_update(pause, dense) for pause in pauses.get(name, ())]}
            for name, ops in spec["programs"].items()
        },
        "given": {
            value: {"slot": slot, "shape": header["shapes"][value]} for value, slot in spec["outputs"].items()
        },
        "postprocess": [
            {
                **node,
                "tensors": {short: tensors[f"tail/{node['name']}.{short}"] for short in node["tensors"]},
            }
            for node in header["tail"]
        ],
    }


def _update(pause: dict[str, Any], dense: bool) -> dict[str, Any]:
    if "measure" in pause:
        measure = {key: pause["measure"][key] for key in ("grid", "bits", "symmetric")}
        return {"before_op": pause["before_op"], "slot": pause["measure"]["slot"], "measure": measure}
    stored = pause["predict"]
    predict = {key: stored[key] for key in ("value", "features", "remember")} | {
        "steps": sample_steps(stored["shape"], FIRST_SAMPLES),
        "grids": [
            {
                **{key: entry[key] for key in ("grid", "bits", "symmetric")},
                "dense": dense,
                "low": _end(entry["predictor"], 0),
                "high": _end(entry["predictor"], 1),
            }
            for entry in stored["grids"]
        ],
    }
    return {"before_op": pause["before_op"], "slot": stored["slot"], "predict": predict}


def _end(predictor: dict[str, Any], end: int) -> list[Any]:
    """The lower (0) or the upper end (1) of a predictor's range: slopes, intercept, least, most."""
    least, most = predictor[("lows", "highs")[end]]
    return [predictor["slopes"][end], predictor["intercepts"][end], least, most]
