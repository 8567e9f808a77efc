"""Damaged and hostile files: one clear error, nothing run, nothing large allocated.

Whoever writes a hostile file can compute its sums too, so most files here are forged
with sums that are right.
"""

import copy
import io
import json
import os
import random
import resource
import struct
import subprocess
import sys
import textwrap
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeClassifier

from mlmi_sklearn import load, save
from mlmi_sklearn.exceptions import PersistenceError, PluginError
from mlmi_sklearn.persistence import read_manifest
from mlmi_sklearn.persistence.container import Contents, frame


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile") / "file"


@pytest.fixture
def refused(scratch):
    """Return a function that asserts that bytes are refused, and why."""

    def check(data, match=None, error=PersistenceError):
        scratch.write_bytes(data)
        with pytest.raises(error, match=match) as caught:
            load(scratch)
        assert "cannot load" in str(caught.value)

    return check


def test_it_is_a_zip_archive_that_other_tools_read(saved, tmp_path, kit):
    with zipfile.ZipFile(io.BytesIO(saved)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            "manifest.json",
            "arrays.safetensors",
            "SHA256SUMS",
        ]
        assert all(i.compress_type == zipfile.ZIP_STORED for i in archive.infolist())
        archive.extractall(tmp_path)
    assert json.loads((tmp_path / "manifest.json").read_bytes())["format"] == 1
    done = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0


# -- damage ----------------------------------------------------------------------------


def test_truncated_anywhere(saved, refused):
    ends = {0, 1, 4, 29, 30, 43, 63, len(saved) - 1, len(saved) - 22}
    for end in sorted(ends | set(range(0, len(saved), 199))):
        refused(saved[:end])
    refused(saved + b"\0", "1 bytes follow its end")
    refused(saved + saved)


def test_bits_flipped_anywhere(saved, refused):
    rng = random.Random(0)
    whole = bytearray(saved)
    # All headers and sums, and a sample of the rest.
    edges = [*range(70), *range(len(saved) - 700, len(saved), 5)]
    places = sorted({*edges, *rng.sample(range(len(saved)), 150)})
    for place in places:
        whole[place] ^= 1 << rng.randrange(8)
        refused(bytes(whole))
        whole[place] = saved[place]


def test_parts_lost_swapped_or_overwritten(saved, refused):
    rng = random.Random(1)
    for _ in range(60):
        a, b = sorted(rng.sample(range(len(saved)), 2))
        refused(saved[:a] + saved[b:])
        if b - a > 8:
            zeros = saved[:a] + bytes(b - a) + saved[b:]
            if zeros != saved:
                refused(zeros)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.binary(max_size=200))
def test_any_bytes(scratch, data):
    scratch.write_bytes(data)
    for read in (load, read_manifest):
        with pytest.raises(PersistenceError):
            read(scratch)


def test_other_kinds_of_file(refused, tmp_path, model):
    import joblib

    joblib.dump(model, tmp_path / "a")
    refused((tmp_path / "a").read_bytes(), "not a file written by mlmi_sklearn.save")
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "missing")
    with pytest.raises(IsADirectoryError):
        load(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PersistenceError, match="not an ordinary file"):
        load(tmp_path / "pipe")
    with pytest.raises(PersistenceError, match="not an ordinary file"):
        load("/dev/zero")


# -- archives --------------------------------------------------------------------------


def archive(members, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, data in members:
            file.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_by_another_hand(saved, refused):
    with zipfile.ZipFile(io.BytesIO(saved)) as file:
        members = [(name, file.read(name)) for name in file.namelist()]
    refused(archive(members))
    refused(archive([*members, ("extra", b"")]))
    refused(archive([*members, members[0]]))
    refused(archive([("../../etc/passwd", b""), *members]))
    refused(archive([("/tmp/manifest.json", members[0][1]), *members[1:]]))
    bomb = [("manifest.json", bytes(50_000_000))]
    refused(archive(bomb, zipfile.ZIP_DEFLATED))
    refused(saved + archive([("manifest.json", b"{}")]))


@pytest.mark.parametrize("size", [2**40, 2**63, 2**64 - 1])
def test_declared_sizes(saved, refused, size):
    place = 30 + len("manifest.json") + 4
    lie = struct.pack("<2Q", size, size)
    refused(saved[:place] + lie + saved[place + 16 :], "should have")


# -- the manifest ----------------------------------------------------------------------


def test_json(saved, refused, kit):
    manifest, arrays = kit.pieces(saved)
    text = json.dumps(manifest).encode()
    for bad, why in (
        (b"", "malformed"),
        (b"[]", "of which format"),
        (b"null", "of which format"),
        (b'{"format": 1', "malformed"),
        (b'{"format": true}', "of which format"),
        (b'{"format": 1.0}', "of which format"),
        (b'{"format": 0}', "of which format"),
        (b'{"format": NaN}', "NaN is not JSON"),
        (b'{"format": 1, "state": Infinity}', "Infinity is not JSON"),
        (b'{"format": 1, "format": 1}', "twice"),
        (b'{"format": 1, "state": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", ""),
        (b'{"format": 1, "state": ' + b"9" * 5000 + b"}", ""),
        ('{"format": 1, "x": "ü"}'.encode(), "malformed"),
        (text[:-1] + b', "a": 1e999}', ""),
    ):
        refused(kit.forged(bad, arrays), why)


def test_newer_format(saved, refused, kit):
    manifest, arrays = kit.pieces(saved)
    manifest |= {"format": 2, "versions": {"mlmi-sklearn": "9.1"}}
    refused(kit.forged(manifest, arrays), r'pip install "mlmi-sklearn>=9\.1"')
    manifest["versions"] = {"mlmi-sklearn": "9; rm -rf /"}
    refused(kit.forged(manifest, arrays), r"Update mlmi-sklearn\.$")
    # Even if a newer format is laid out otherwise.
    refused(kit.forged(manifest, arrays)[:-50], "format 2 is newer")


def change(kit, saved, refused, edit, match=None, error=PersistenceError):
    """Forge a file with changes to the manifest or arrays, and assert its refusal."""
    manifest, arrays = kit.pieces(saved)
    manifest = edit(manifest, arrays) or manifest
    data = kit.forged(manifest, arrays)
    refused(data, match, error)


EVIL = [
    "os:system",
    "subprocess:Popen",
    "builtins:eval",
    "builtins:dict",
    "posix:system",
    "sklearn.utils:os",
    "sklearn.datasets:fetch_openml",
    "sklearn.utils._bunch:Bunch",
    "sklearn.pipeline:clone",
    "sklearn.neighbors:KDTree",
    "sklearn.tests.test_base:MyEstimator",
    "sklearn.svm.._classes:SVC",
    "inner:Component",
    "inner:FileStore",
    "inner:../../os",
    "inner:",
    "mlmi-sklearn:Bags",
    "mlmi-sklearn:os.system",
    "mlmi_sklearn.components:Component",
    "torch.nn:Linear",
    "evil-plugin:Thing",
    ":",
    "",
    "\0",
]


@pytest.mark.parametrize("name", EVIL)
def test_classes_outside_the_allowlist(name, kit, saved, refused):
    def edit(manifest, arrays):
        manifest["state"]["class"] = name

    change(kit, saved, refused, edit)


@pytest.mark.parametrize("role", ["function", "type", "class", "x"])
@pytest.mark.parametrize(
    "name",
    [
        "os:system", "numpy:load", "numpy:fromfile", "numpy:save", "sklearn.metrics:os",
        "builtins:eval", "sklearn.datasets:load_files", "torch:load", "torch.hub:load",
        "torch.nn:Module.load_state_dict", "scipy.special:errstate", "numpy:void.mro",
        "builtins:__import__", "numpy:ctypeslib",
    ],
)  # fmt: skip
def test_functions_outside_the_allowlist(name, role, kit, saved, refused):
    def edit(manifest, arrays):
        pair = kit.attribute(manifest["state"], "lr_schedule")
        pair[1] = {"is": "name", "name": name, "role": role}

    change(kit, saved, refused, edit)


@pytest.mark.parametrize(
    "node",
    [
        {},
        {"is": None},
        {"is": []},
        {"is": "pickle"},
        {"is": "same"},
        {"is": "same", "id": 0},
        {"is": "same", "id": True},
        {"is": "object"},
        {"is": "object", "class": None, "state": []},
        {"is": "object", "class": "inner:Part", "state": {"a": 1}},
        {"is": "object", "class": "inner:Part", "state": [["__class__", 1]]},
        {"is": "object", "class": "inner:Part", "state": [["a b", 1]]},
        {"is": "object", "class": "inner:Part", "state": [[1, 1]]},
        {"is": "row", "class": "inner:Part", "items": []},
        {"is": "row", "class": "inner:Block", "items": [1] * 99},
        {"is": "spec", "kind": "backbone", "name": "no-such", "params": []},
        {"is": "spec", "kind": "estimator", "name": "NetClassifier", "params": 1},
        {"is": "spec", "kind": "backbone", "name": "mlp", "params": [["nose", 1]]},
        {"is": "mapping", "type": "dict", "items": [[[], 1]]},
        {"is": "mapping", "type": "dict", "items": [[1, 1], [1, 2]]},
        {"is": "mapping", "type": "type", "items": []},
        {"is": "mapping", "type": "defaultdict", "items": [], "default": "eval"},
        {"is": "sequence", "type": "list", "items": []},
        {"is": "float", "value": "1"},
        {"is": "scalar", "dtype": "|O8", "data": "00" * 8},
        {"is": "scalar", "dtype": "<f8", "data": "00"},
        {"is": "scalar", "dtype": "<U999999999", "data": ""},
        {"is": "bytes", "data": "!"},
        {"is": "range", "parts": [0, 10**15, 1]},
        {"is": "date", "type": "datetime", "text": "never"},
        {"is": "timedelta", "parts": [10**30, 0, 0]},
        {"is": "array", "dtype": "<f4", "shape": [2], "name": "nope"},
        {"is": "array", "dtype": "<f4", "shape": [-1], "name": "net"},
        {"is": "array", "dtype": "|O8", "shape": [1], "name": "net"},
        {"is": "array", "dtype": "f4,f4", "shape": [1], "name": "net"},
        {"is": "array", "dtype": "<V9", "shape": [1], "name": "net"},
        {"is": "array", "dtype": "object", "shape": [10**12], "items": []},
        {"is": "array", "dtype": "object", "shape": [0, 10**18, 10**18], "items": []},
        {"is": "array", "dtype": "object", "shape": [1] * 80, "items": [1]},
        {"is": "sparse", "type": "csr_matrix", "shape": [1, 1], "parts": [1, 2, 3]},
        {"is": "sparse", "type": "eval", "shape": [1, 1], "parts": []},
        {"is": "tensor", "dtype": "torch.float32", "data": 1},
        {"is": "module", "class": "torch.nn:Module"},
        {"is": "module", "class": "torch.nn:LazyLinear", "attributes": {}},
        {"is": "module", "class": "torch.jit:ScriptModule", "attributes": {}},
        {"is": "module", "class": "mlmi_sklearn.training.net:LeanNet"},
        {"is": "skops", "data": [1]},
        {"is": "frame", "columns": []},
        {"is": "dtype", "type": "numpy", "text": "O"},
        {"is": "dtype", "type": "pandas", "text": "arrow"},
        {"is": "random-state", "state": {}},
        {"is": "generator", "bits": "eval", "state": 1, "seed": None},
        {"is": "bags", "values": 1, "lengths": 2},
        {"is": "distribution", "name": "os", "args": [], "kwds": {}},
    ],
    ids=lambda node: str(node)[:60],
)
def test_malformed_values(node, kit, saved, refused):
    def edit(manifest, arrays):
        kit.attribute(manifest["state"], "class_weight")[1] = node

    change(kit, saved, refused, edit)


def test_what_is_no_estimator(kit, saved, refused):
    for value in (None, 1, "x", [], {"is": "float", "value": "nan"}):
        change(kit, saved, refused, lambda m, a, v=value: m | {"state": v})
    for value in (None, 3, [3], [{"kind": "loss"}], [{"kind": 1}]):
        change(kit, saved, refused, lambda m, a, v=value: m | {"components": v})


def test_arrays_missing_left_over_or_of_another_kind(kit, saved, refused):
    _, arrays = kit.pieces(saved)
    for name in arrays:
        change(kit, saved, refused, lambda m, a, n=name: a.pop(n) is None or m, "array")
        for other in (np.int8, np.float64, np.float16, bool):
            if arrays[name].dtype == other:
                continue

            def edit(manifest, found, n=name, kind=other):
                found[n] = np.zeros(found[n].shape, kind)

            change(kit, saved, refused, edit, "should be")

        def grow(manifest, found, n=name):
            found[n] = np.zeros((*found[n].shape, 2), found[n].dtype)

        change(kit, saved, refused, grow, "should be")
    extra = np.zeros(1, np.float32)
    change(kit, saved, refused, lambda m, a: a.update(more=extra), "holds more")


def weights(kit, manifest, name):
    items = kit.attribute(manifest["state"], "net_")[1]["items"]
    return next(pair for pair in items if pair[0] == name)


def test_weights_that_do_not_fit_the_net(kit, saved, refused):
    def rename(manifest, arrays):
        kit.attribute(manifest["state"], "net_")[1]["items"].pop()

    change(kit, saved, refused, rename)

    def other_shape(manifest, arrays):
        for node in kit.nodes(kit.attribute(manifest["state"], "net_")):
            if node.get("is") == "array" and node["shape"] == [4, 3]:
                node["shape"] = [2, 3]
                arrays[node["name"]] = np.zeros((2, 3))

    change(kit, saved, refused, other_shape, "size mismatch")


def test_a_net_far_larger_than_its_weights(kit, saved, refused):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for hidden in ([10**9], [10**5, 10**5], [2**20, 2**12], [3] * 20_000):

        def edit(manifest, arrays, sizes=hidden):
            recipe = kit.attribute(manifest["state"], "_recipe")[1]
            for node in kit.nodes(recipe):
                for pair in node.get("items", []) if node["is"] == "mapping" else []:
                    if pair[0] == "hidden":
                        pair[1] = {"is": "sequence", "type": "tuple", "items": sizes}

        change(kit, saved, refused, edit, "far larger")
    # In kilobytes: none of these took a gigabyte.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20


SAFETENSORS = [
    b"",
    struct.pack("<Q", 2**60),
    struct.pack("<Q", 2) + b"{}",
    struct.pack("<Q", 2) + b"[]",
    struct.pack("<Q", 10) + b"{" * 10,
]


def header(**tensors):
    text = json.dumps(tensors).encode()
    return struct.pack("<Q", len(text)) + text


def declared(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


SAFETENSORS += [
    header(a=declared()),
    header(a=declared(shape=[2**40, 2**40], offsets=[0, 4])) + b"1234",
    header(a=declared(shape=[2**60], offsets=[0, 2**62])) + b"1234",
    header(a=declared(offsets=[0, 4]), b=declared(offsets=[0, 4])) + b"1234",
    header(a=declared("OBJECT")) + b"1234",
    header(a=declared("BF16", [2])) + b"1234",
    header(a=declared(offsets=[4, 0])) + b"1234",
    header(a=declared(offsets=[-4, 0])) + b"1234",
]


@pytest.mark.parametrize("arrays", SAFETENSORS)
def test_array_parts(arrays, kit, saved, refused):
    manifest, _ = kit.pieces(saved)
    refused(kit.forged(manifest, arrays))


# -- what runs code in other formats ---------------------------------------------------


def mutations(rng, manifest, arrays, kit):
    """Return a manifest with one random node replaced by another, or by nonsense."""
    manifest = copy.deepcopy(manifest)
    found = [n for n in kit.nodes(manifest["state"]) if n]
    node = rng.choice(found)
    key = rng.choice(sorted(node))
    values = [None, -1, 2**70, "", "x", [], {}, True, [[]], {"is": "same", "id": 0}]
    values += [copy.deepcopy(rng.choice(found)), node, rng.choice(sorted(arrays))]
    choice = rng.choice(values)
    if choice is node:  # a cycle cannot be written as JSON: duplicate instead
        choice = copy.deepcopy(node)
    node[key] = choice
    return manifest


def test_random_changes_of_the_manifest(saved, scratch, kit):
    """Whatever one value of the manifest is replaced by: an estimator, or the error."""
    rng = random.Random(0)
    manifest, arrays = kit.pieces(saved)
    outcomes = {"loaded": 0, "refused": 0}
    for _ in range(250):
        changed = mutations(rng, manifest, arrays, kit)
        scratch.write_bytes(kit.forged(changed, arrays))
        try:
            found = load(scratch)
        except (PersistenceError, PluginError):
            outcomes["refused"] += 1
        else:
            assert hasattr(found, "get_params")
            outcomes["loaded"] += 1
    assert outcomes["refused"] > 100


def test_compiled_parts(tmp_path, refused, kit):
    X, y = kit.table()
    save(DecisionTreeClassifier(random_state=0).fit(X, y), tmp_path / "tree")
    data = (tmp_path / "tree").read_bytes()
    manifest, arrays = kit.pieces(data)
    (name,) = [n for n in arrays if "tree" in n]
    blob = arrays[name].tobytes()

    def forged(new):
        for node in kit.nodes(manifest["state"]):
            if node.get("name") == name:
                node["shape"] = [len(new)]
        return kit.forged(manifest, {**arrays, name: np.frombuffer(new, np.uint8)})

    for cut in (0, 10, len(blob) // 2, len(blob) - 1):
        refused(forged(blob[:cut]))
    with zipfile.ZipFile(io.BytesIO(blob)) as file:
        members = {n: file.read(n) for n in file.namelist()}
    refused(forged(archive(members.items(), zipfile.ZIP_DEFLATED)), "compressed")
    schema = members["schema.json"].decode()
    for old, new in (
        ("_tree", "os"),
        ('"Tree"', '"DTYPE"'),
        ("sklearn.tree._tree", "os"),
    ):
        evil = {**members, "schema.json": schema.replace(old, new)}
        refused(forged(archive(evil.items())))
    (nodes,) = [n for n in members if b"left_child" in members[n][:200]]
    array = np.load(io.BytesIO(members[nodes]))
    for field, value in (("left_child", 10**6), ("right_child", 0), ("feature", 99)):
        bad = array.copy()
        bad[field][0] = value
        buffer = io.BytesIO()
        np.save(buffer, bad)
        evil = {**members, nodes: buffer.getvalue()}
        refused(forged(archive(evil.items())), "impossible branches")
    lie = members[nodes].replace(str(array.shape).encode(), b"(9999999999999,)", 1)
    lie = lie if lie != members[nodes] else b""
    refused(forged(archive({**members, nodes: lie}.items())))


AUDIT = """
    import sys, warnings
    warnings.simplefilter("ignore")
    from mlmi_sklearn import list_components, load
    path, *hostile = sys.argv[1:]
    load(path).predict([[0.0, 0.0, 0.0]])
    list_components()  # reads which plugins are installed, whatever is in a file
    seen = []
    WATCHED = ("open", "exec", "compile", "import", "os.", "subprocess.", "socket.",
               "shutil.", "ctypes.dlopen", "pickle.", "marshal.", "code.__new__")

    def hook(event, args):
        if event.startswith(WATCHED):
            seen.append((event, str(args[0])[:400]))

    sys.addaudithook(hook)
    load(path)
    for other in hostile:
        try:
            load(other)
        except Exception as error:
            assert type(error).__name__ == "PersistenceError", repr(error)
        else:
            raise AssertionError(other)
    for event in dict.fromkeys(seen):
        print(*event)
"""


def test_loading_opens_nothing_else_and_runs_nothing(saved, write, kit, tmp_path):
    """As the interpreter's audit hook sees it: opened is the file, and no more."""
    manifest, _ = kit.pieces(saved)
    hostile = []
    for i, name in enumerate(["os:system", "subprocess:Popen", "antigravity:x"]):
        state = {"is": "object", "class": name, "state": [["args", ["touch", "pwned"]]]}
        data = kit.forged({**manifest, "state": state}, {})
        hostile.append(write(data, f"hostile{i}"))
    path = write(saved)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(AUDIT), path, *hostile],
        cwd=tmp_path,
        env={**os.environ, "MLMI_SKLEARN_PLUGINS": "none", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = {tuple(line.split(" ", 1)) for line in done.stdout.splitlines()}
    opened = {what for event, what in seen if event == "open"}
    assert opened == {str(path), *map(str, hostile)}
    rest = {pair for pair in seen if pair[0] != "open"}
    assert rest == set(), rest
    assert not (tmp_path / "pwned").exists()


def test_contents_are_bound_to_each_other():
    data = b"".join(frame(Contents(b"{}", b"abc")))
    other = b"".join(frame(Contents(b"{}", b"abx")))
    assert len(data) == len(other)
    assert sum(a != b for a, b in zip(data, other, strict=True)) > 30
