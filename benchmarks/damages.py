"""Ways of damaging a file, by how much they know of its format: bytes, trees of JSON, safetensors.

Each takes what is whole and a `random.Random`, and returns what is damaged and what was done, in words.
"""

import copy
import io
import json
import math
import struct
import zipfile

WHOLE_NUMBERS = [0, 1, 2, 3, 7, 100, 255, 256, 32768, 2**31 - 1, 2**31, 2**40, 2**62, 2**63, 10**400]
WHOLE_NUMBERS += [-1, -2, -129, -(2**31), -(2**63)]
NUMBERS = [0.0, -0.0, 0.5, -1.0, 1e-45, 1e-30, 1e30, 3.5e38, 1e308, math.inf, -math.inf, math.nan]
OTHERS = [None, True, "", "\n", "\ud800", "u8", "conv", "x" * 5000, [], [[]], [1, 2], {}, {"a": 1}]
DTYPES = ("F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U64", "U8", "BOOL", "F8_E4M3", "?")


def damage_bytes(data, random):
    """Damage by something that knows nothing of the format: a bad disk, a broken download."""
    data, at, length = bytearray(data), random.randrange(len(data)), random.choice([1, 2, 8, 100, 1000])
    match random.choice(["bits", "cut", "zeros", "ones", "noise", "lost", "inserted", "appended", "start"]):
        case "bits":
            for _ in range(random.choice([1, 2, 10, 100])):
                data[random.randrange(len(data))] ^= 1 << random.randrange(8)
            return bytes(data), "bits turned"
        case "cut":
            return bytes(data[:at]), f"cut after {at} bytes"
        case "zeros" | "ones" | "noise" as how:
            new = {"zeros": bytes(length), "ones": b"\xff" * length, "noise": random.randbytes(length)}[how]
            data[at : at + length] = new[: len(data) - at]
        case "lost" as how:
            del data[at : at + length]
        case "inserted" as how:
            data[at:at] = random.randbytes(length)
        case "appended" as how:
            data += random.randbytes(length)
        case "start" as how:
            at = random.randrange(min(len(data), 64))
            data[at] = random.randrange(256)
    return bytes(data), f"{how}: {length} bytes at {at}"


def places(tree, path=()):
    """The paths of everything in nested dicts and lists."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [place for key, value in items for place in [(*path, key), *places(value, (*path, key))]]


def value_at(tree, path):
    for key in path:
        tree = tree[key]
    return tree


def damage_tree(tree, random):
    """One value of a JSON tree, at any depth, is lost, doubled, moved or changed, in place."""
    every = places(tree)
    if not every:
        return "nothing left"
    depth = random.randrange(1, 7)
    path = random.choice([p for p in every if len(p) <= depth])
    parent, key = value_at(tree, path[:-1]), path[-1]
    old, how = parent[key], random.randrange(12)
    if how == 0:
        del parent[key]
        return f"{path} lost"
    if how == 1 and isinstance(old, list) and old:
        old.insert(random.randrange(len(old) + 1), copy.deepcopy(random.choice(old)))
        return f"{path}: an item twice"
    if how == 2 and isinstance(old, list):
        random.shuffle(old)
        return f"{path} shuffled"
    if how in (3, 4):
        other = random.choice([p for p in every if type(value_at(tree, p)) is type(old)])
        parent[key] = copy.deepcopy(value_at(tree, other))
        return f"{path} is that of {other}"
    if type(old) is int and how < 10:
        half = old + 0.5 if abs(old) < 2**53 else 0.5
        parent[key] = random.choice([*WHOLE_NUMBERS, old + 1, old - 1, 2 * old, -old, old * 1000, half])
    elif type(old) is float and how < 10:
        parent[key] = random.choice([*NUMBERS, -old, old * 1e-20, old * 1e20, str(old)])
    else:
        parent[key] = copy.deepcopy(random.choice(WHOLE_NUMBERS + NUMBERS + OTHERS))
    return f"{path} is {str(parent[key])[:40]!r}"


def damage_tensors(data, random, key):
    """A safetensors file: its bytes, the JSON in its metadata under `key`, a tensor's entry or values."""
    if random.randrange(5) == 0:
        return damage_bytes(data, random)
    size = struct.unpack("<Q", data[:8])[0]
    header, body = json.loads(data[8 : 8 + size]), bytearray(data[8 + size :])
    tree, done = json.loads(header["__metadata__"][key]), []
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        names = [name for name in header if name != "__metadata__"]
        if names and random.randrange(3) == 0:
            done.append(_damage_entry(header, random.choice(names), body, random))
        else:
            done.append(damage_tree(tree, random))
    header["__metadata__"][key] = json.dumps(tree)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(body), "; ".join(done)


def damage_header(data, random):
    """A safetensors file: its bytes, a text in its metadata, a tensor's entry or values."""
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    if random.randrange(3) == 0:
        return damage_bytes(data, random)
    if random.randrange(2) == 0:
        key = random.choice(list(header["__metadata__"]))
        text = header["__metadata__"].pop(key)
        if random.randrange(4):
            others = [
                *map(json.dumps, WHOLE_NUMBERS + OTHERS),
                text[:-1],
                text + text,
                "[" * 10**5,
                "-" + text,
            ]
            header["__metadata__"][key] = random.choice(others)
        done, body = f"{key}: {header['__metadata__'].get(key, 'lost')[:40]!r}", data[8 + size :]
    else:
        body = bytearray(data[8 + size :])
        names = [name for name in header if name != "__metadata__"]
        done = _damage_entry(header, random.choice(names), body, random)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(body), done


def damage_zip(data, random):
    """A zip file, as `torch.save` writes: its bytes, or those of an entry, packed again with fitting sums."""
    if random.randrange(3) == 0:
        return damage_bytes(data, random)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    name = random.choice(list(entries)) if random.randrange(3) == 0 else next(iter(entries))
    if not entries[name] or random.randrange(30) == 0:
        entries[name], done = bytes(300 << 20), "300 MiB of zeros"
    else:
        entries[name], done = damage_bytes(entries[name], random)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for key, content in entries.items():
            archive.writestr(key, content)
    return packed.getvalue(), f"{name}: {done}"


def damage_lines(data, random, values):
    """A text of lines "key = value": its bytes, lines lost, doubled, put elsewhere, or with another value."""
    if random.randrange(4) == 0:
        return damage_bytes(data, random)
    lines, done = data.decode().splitlines(), []
    for _ in range(random.choice([1, 1, 2, 3])):
        at, how = random.randrange(len(lines)), random.randrange(6)
        line = lines[at]
        done.append(line[:30])
        if how == 0 and len(lines) > 1:
            del lines[at]
        elif how == 1:
            lines.insert(random.randrange(len(lines)), line)
        elif how == 2:
            lines[at] = random.choice(values)
        else:
            lines[at] = line.split("=")[0] + "= " + random.choice(values)
            done[-1] = lines[at][:40]
    return "\n".join(lines).encode(errors="surrogatepass"), "; ".join(done)


def _damage_entry(header, name, body, random):
    entry, how = (
        header[name],
        random.choice(["dtype", "shape", "reshaped", "place", "lost", "values", "values"]),
    )
    first, last = entry["data_offsets"]
    if how == "dtype":
        entry["dtype"] = random.choice(DTYPES)
    elif how == "shape":
        entry["shape"] = [random.choice([-1, 0, 1, 3, 2**31, 2**62]), *entry["shape"][1:]]
    elif how == "reshaped":
        count = math.prod(entry["shape"])
        entry["shape"] = random.choice([[count], [1, count], [count, 1, 1, 1], entry["shape"][::-1]])
    elif how == "place":
        entry["data_offsets"][random.randrange(2)] = random.choice(
            [0, -1, 3, len(body), 10 * len(body), 2**63]
        )
    elif how == "lost":
        del header[name]
    elif last > first >= 0:
        number = struct.pack("<f", random.choice([math.nan, math.inf, 0.0, -1.0, 1e-45, 1e38]))
        at = random.randrange(first, last, 4)
        body[first:last] = random.choice(
            [number * (last - first), body[first:at] + number + body[at + 4 : last]]
        )[: last - first]
    return f"{name}: {how}"
