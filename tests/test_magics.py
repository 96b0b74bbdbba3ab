"""IPython's own lines become Python, and nothing else does."""

from __future__ import annotations

import pytest

from torchlint.magics import is_python, replacements, unknown


@pytest.mark.parametrize(
    ("cell", "standing"),
    [
        ("%matplotlib inline", "pass"),
        ("!pip install torch", "pass"),
        ("pip install torch", "pass"),
        ("model?", "pass"),
        ("?model.forward", "pass"),
        ("layers[0].weight??;", "pass"),
        ("/train 1", "pass"),
        ("    !nvidia-smi", "    pass"),
        ("\t%cd build", "\tpass"),
        ("files = !ls *.py", "files = ..."),
        ("    a, b['c'] = %lookup x", "    a, b['c'] = ..."),
        ("%time out = model(x)", "model = out = x = _unread_cell(model, out, x)"),
        ("%timeit len([])", "_unread_cell()"),
    ],
)
def test_a_line_of_ipythons(cell: str, standing: str) -> None:
    expected = "pass" if standing == "_unread_cell()" else standing
    assert replacements(cell) == {1: expected}
    assert replacements(f"x = '''\n'''\n{cell}\ny = 1") == {3: expected}


@pytest.mark.parametrize(
    "cell",
    [
        "x = 7 % 4",
        "x = (7\n% 4)",
        "x = 7 \\\n% 4",
        "x = '''\n%time\n!ls\n'''",
        'x = """a\\"""\n!ls"""',
        "x = ['a',  # [(\n!r]",
        "'x' '= %d' % 3",
        "print('= !ls')",
        "x != y\nx %= 3",
        "# what is this?\nx = 'why?'",
        "f'{x!r}'",
        "x: int = 3; y = x",
        "# %%time\n# !ls",
        "@decorated\ndef f(): ...",
    ],
)
def test_pythons_own_lines(cell: str) -> None:
    assert replacements(cell) == {}


def test_a_magic_over_several_lines() -> None:
    cell = "!pip install \\\n   torch \\\n   numpy\nx = 1\nfiles = !ls \\\n  -a\n%who\\"
    assert replacements(cell) == {1: "pass", 2: "", 3: "", 5: "files = ...", 6: "", 7: "pass"}


def test_a_statement_that_a_magic_runs_uses_imports_and_leaves_them() -> None:
    assert replacements("%time y = nn.relu(x)", {"nn"}) == {1: "x = y = _unread_cell(nn, x, y)"}
    assert unknown("'1 + 1'", ()) == ""


@pytest.mark.parametrize("magic", ["time", "timeit -n 3 x = 1", "capture out", "prun", "debug"])
def test_cell_magics_that_run_python(magic: str) -> None:
    assert is_python(f"\n%%{magic}\nx = 1")
    assert replacements(f"\n%%{magic}\nx = 1") == {2: "pass"}


@pytest.mark.parametrize(
    "magic", ["bash", "writefile a.py", "html", "!", "R", "cython", "script bash", "time_it"]
)
def test_cell_magics_that_do_not(magic: str) -> None:
    assert not is_python(f"%%{magic}\nx = 1")
