"""Plan files of version 1: what they say of ranges beside their programs moves into them."""

from __future__ import annotations

from typing import Any

from videoquant.ranges.features import sample_steps
from videoquant.saved_network import predictor_from_json
from videoquant.schemes import Scheme


def upgraded(header: dict[str, Any]) -> dict[str, Any]:
    """The header of a plan file of version 1 as version 2 has it."""
    spec, pauses, scheme = header["spec"], header["pauses"], Scheme.from_dict(header["scheme"])
    programs = {
        name: {"ops": ops, "updates": [_update(pause, scheme) for pause in pauses[name]]}
        for name, ops in spec["programs"].items()
    }
    kept = {key: value for key, value in header.items() if key != "pauses"}
    return kept | {"version": 2, "spec": spec | {"version": 2, "programs": programs}}


def _update(pause: dict[str, Any], scheme: Scheme) -> dict[str, Any]:
    if "measure" in pause:
        measure = dict(pause["measure"])
        return {"before_op": pause["before_op"], "slot": measure.pop("slot"), "measure": measure}
    predict = pause["predict"]
    grids = []
    for entry in predict["grids"]:
        predictor = predictor_from_json(entry["predictor"], f"the range of grid {entry['grid']}")
        grids.append(
            {
                "grid": entry["grid"],
                "bits": entry["bits"],
                "symmetric": entry["symmetric"],
                "dense": scheme.range_estimator.is_dense,
                "low": predictor.end(0),
                "high": predictor.end(1),
            }
        )
    return {
        "before_op": pause["before_op"],
        "slot": predict["slot"],
        "predict": {
            "value": predict["value"],
            "features": predict["features"],
            "steps": sample_steps(predict["shape"]),
            "grids": grids,
            "remember": predict["remember"],
        },
    }
