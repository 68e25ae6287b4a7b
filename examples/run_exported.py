"""Run what `videoquant export` wrote of a residual scheme in ONNX Runtime, over a video: without videoquant.

    python run_exported.py pose.key.onnx pose.residual.onnx street.mp4 --period 3

Needs numpy, onnxruntime and av (PyAV). The keyframes' file takes a picture and gives the network's outputs
and the state; the residual frames' file takes a picture and that state, which stays with ONNX Runtime: it is
bound from one run to the next, and never copied to Python.
"""

import argparse

import av
import numpy as np
import onnxruntime


def numbers(text):
    """ "0.5,0.5,0.5" of a file's metadata → an array that broadcasts over 3×H×W."""
    return np.array([float(number) for number in text.split(",")], np.float32).reshape(-1, 1, 1)


class Exported:
    """The state of one video."""

    def __init__(self, key, residual, period):
        options = onnxruntime.SessionOptions()
        # On x86 without VNNI, sums of uint8 · int8 saturate at 16 bits unless this is set.
        options.add_session_config_entry("session.x64quantprecision", "1")
        self.sessions = [
            onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
            for file in (key, residual)
        ]
        self.period, self.frames, self.state = period, 0, {}
        self.input = self.sessions[0].get_inputs()[0]
        self.metadata = self.sessions[0].get_modelmeta().custom_metadata_map

    def prepare(self, frame):
        """A frame of PyAV as the network's input: resized, scaled and in its order of colors."""
        height, width = self.input.shape[2:]
        picture = frame.reformat(width, height, "rgb24", interpolation="BILINEAR").to_ndarray()
        x = picture.transpose(2, 0, 1).astype(np.float32) * np.float32(self.metadata["scale"])
        x = x[::-1] if self.metadata["color"] == "bgr" else x
        return np.ascontiguousarray((x - numbers(self.metadata["mean"])) / numbers(self.metadata["std"]))[
            None
        ]

    def __call__(self, x):
        """The network's outputs for the next frame, by name. x: float32, 1×C×H×W."""
        session = self.sessions[self.frames % self.period > 0]
        binding = session.io_binding()
        binding.bind_cpu_input(self.input.name, x)
        for value in session.get_inputs():
            if value.name in self.state:
                binding.bind_ortvalue_input(value.name, self.state[value.name])
        names = [value.name for value in session.get_outputs()]
        for name in names:
            binding.bind_output(name)
        session.run_with_iobinding(binding)
        found = dict(zip(names, binding.get_outputs(), strict=True))
        self.frames += 1
        # A keyframe gives the state; residual frames that move it on give it with "next/" before its name.
        moved = {name: value for name, value in found.items() if name.startswith(("state/", "next/"))}
        self.state |= {name.removeprefix("next/"): value for name, value in moved.items()}
        return {name: value.numpy() for name, value in found.items() if name not in moved}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("key")
    parser.add_argument("residual")
    parser.add_argument("video")
    parser.add_argument(
        "--period", type=int, default=3, help="T of the scheme: frames from keyframe to keyframe"
    )
    parser.add_argument("--frames", type=int, default=60)
    options = parser.parse_args()
    network = Exported(options.key, options.residual, options.period)
    with av.open(options.video) as video:
        for index, frame in enumerate(video.decode(video=0)):
            if index == options.frames:
                break
            outputs = network(network.prepare(frame))
            said = ", ".join(
                f"{name} {value.mean():.4f} ± {value.std():.4f}" for name, value in outputs.items()
            )
            print(f"frame {index}: {'keyframe' if index % options.period == 0 else 'residual'}, {said}")


if __name__ == "__main__":
    main()
