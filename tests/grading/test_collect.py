"""Submissions are found in folders and zips of all kinds; none is lost, the latest counts."""

import io
import json
import os
import zipfile

import pytest
from grading import collect, settings
from students import SET, added, blank, solved, text

pytest.importorskip("nbgrader")


@pytest.fixture
def course(monkeypatch, tmp_path):
    """Return the folder of an empty class."""
    folder = tmp_path / "class"
    folder.mkdir()
    monkeypatch.setenv("COURSE_GRADING", str(folder))
    return folder


def put(folder, place, content=None, time=None):
    """Write a file that was handed in, at a time in seconds."""
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if content is not None else text(blank()), encoding="utf-8")
    if time is not None:
        os.utime(path, (time, time))
    return path


def submitted(course):
    """Return who has a notebook where nbgrader looks for it."""
    return sorted(path.parts[-3] for path in course.glob(f"submitted/*/{SET}/{SET}.ipynb"))


@pytest.mark.parametrize(
    ("place", "student"),
    [
        ("ada.ipynb", "ada"),
        ("ada_primer.ipynb", "ada"),
        ("primer_ada.ipynb", "ada"),
        ("primer-ada.ipynb", "ada"),
        ("ada/primer.ipynb", "ada"),
        ("ada/primer/any name.ipynb", "ada"),
        ("Ada Lovelace_1234_assignsubmission_file_/primer.ipynb", "ada-lovelace"),
        ("lovelaceada_late_1234_5678_primer.ipynb", "lovelaceada"),
        ("lovelaceada_1234_5678_primer-1.ipynb", "lovelaceada"),
        ("primer_ada_attempt_2027-02-27-10-15-00_primer.ipynb", "ada"),
        ("a.lovelace@uni.example.ipynb", "a.lovelace@uni.example"),
        ("ADA.IPYNB", "ada"),
        ("Ada Lovelace_4711_assignsubmission_file_primer.ipynb", "ada-lovelace"),
        ("mallory/Ada Lovelace_9_assignsubmission_file_/p.ipynb", "mallory"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_owner_is_read_off_the_path(course, tmp_path, place, student, packed):
    if packed:
        with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
            archive.writestr(place, text(blank()))
        collect.collect(SET, str(tmp_path / "all.zip"))
    else:
        put(tmp_path / "in", place)
        collect.collect(SET, str(tmp_path / "in"))
    assert submitted(course) == [student]


def test_zip_in_a_folder_and_names_that_point_outside(course, tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("../../../escaped/primer.ipynb", text(blank()))
        archive.writestr("/etc/absolute.ipynb", text(blank()))
        archive.writestr("__MACOSX/._ada.ipynb", "rubbish")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "group.zip").write_bytes(inner.getvalue())
    collect.collect(SET, str(tmp_path / "in"))
    assert submitted(course) == ["escaped", "etc"]
    assert not list(tmp_path.rglob("absolute.ipynb")) and not (tmp_path / "escaped").exists()


def test_latest_notebook_counts_and_all_are_kept(course, tmp_path):
    first = put(tmp_path / "in", "ada.ipynb", text(blank()), 1_800_000_000)
    collect.collect(SET, str(tmp_path / "in"))
    put(tmp_path / "in", "ada.ipynb", text(solved("ada")), 1_800_000_600)
    collect.collect(SET, str(tmp_path / "in"))
    graded = course / "submitted" / "ada" / SET
    assert (graded / f"{SET}.ipynb").read_text() == text(solved("ada"))
    assert (graded / "timestamp.txt").read_text() == "2027-01-15 08:10:00 UTC\n"
    assert len(list((course / "received" / SET / "ada").iterdir())) == 2
    first.unlink()
    put(tmp_path / "older", "ada.ipynb", text(solved("ada", without=["q2"])), 1_700_000_000)
    collect.collect(SET, str(tmp_path / "older"))
    assert (graded / f"{SET}.ipynb").read_text() == text(solved("ada"))
    assert len(list((course / "received" / SET / "ada").iterdir())) == 3


def test_a_broken_file_does_not_replace_a_good_one(course, tmp_path):
    put(tmp_path / "in", "ada.ipynb", text(solved("ada")), 1_800_000_000)
    collect.collect(SET, str(tmp_path / "in"))
    put(tmp_path / "in", "ada.ipynb", "{", 1_800_000_600)
    collect.collect(SET, str(tmp_path / "in"))
    graded = course / "submitted" / "ada" / SET / f"{SET}.ipynb"
    assert graded.read_text() == text(solved("ada"))
    problems = [entry["problem"] for entry in collect.load_log(SET)["files"]]
    assert problems[0] == "" and "not a notebook" in problems[1]


def test_collecting_twice_takes_nothing_twice(course, tmp_path):
    put(tmp_path / "in", "ada.ipynb", time=1_800_000_000)
    assert "1 new" in collect.collect(SET, str(tmp_path / "in"))[0]
    before = sorted((p, p.read_bytes()) for p in course.rglob("*") if p.is_file())
    assert "0 new" in collect.collect(SET, str(tmp_path / "in"))[0]
    assert sorted((p, p.read_bytes()) for p in course.rglob("*") if p.is_file()) == before


NAMES = "id,name\nada,Ada Lovelace\nemmy,Emmy Noether\nsam1,Sam Smith\nsam2,Sam Smith\n"


@pytest.mark.parametrize(
    ("place", "student"),
    [
        ("Ada Lovelace_1_assignsubmission_file_/x.ipynb", "ada"),
        ("lovelaceada_late_1_2_primer.ipynb", "ada"),
        ("Emmy.ipynb", "emmy"),
        ("Sam Smith_3_assignsubmission_file_/x.ipynb", None),
        ("stranger.ipynb", None),
        ("primer.ipynb", None),
    ],
)
def test_class_list_turns_names_into_ids(course, tmp_path, place, student):
    (course / "students.csv").write_text(NAMES)
    put(tmp_path / "in", place)
    lines = collect.collect(SET, str(tmp_path / "in"))
    assert submitted(course) == ([student] if student else [])
    if student is None:
        assert any("whose is it? kept as" in line for line in lines)
        assert len(list((course / "received" / SET / "unknown").iterdir())) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name\nAda\n", "column names: id,name"),
        ("id,name\nada,A\nADA,B\n", "there twice"),
        ("id,name\nAda Lovelace,A\n", "cannot be an id"),
    ],
)
def test_class_list_must_be_usable(course, tmp_path, content, message):
    (course / "students.csv").write_text(content)
    put(tmp_path / "in", "ada.ipynb")
    with pytest.raises(settings.CannotGrade, match=message):
        collect.collect(SET, str(tmp_path / "in"))


def test_other_files_are_listed(course, tmp_path):
    put(tmp_path / "in", "ada/report.pdf", "no notebook")
    lines = collect.collect(SET, str(tmp_path / "in"))
    assert any("'ada/report.pdf': not a notebook" in line for line in lines)


def test_a_broken_zip_is_kept(course, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ada.zip").write_bytes(b"PK\x03\x04 broken")
    lines = collect.collect(SET, str(tmp_path / "in"))
    assert any("ada.zip" in line for line in lines)


def test_log_is_json(course, tmp_path):
    put(tmp_path / "in", "ada.ipynb")
    collect.collect(SET, str(tmp_path / "in"))
    log = json.loads((course / "received" / f"{SET}.json").read_text())
    assert log["files"][0]["student"] == "ada"


def test_nobody_hands_in_for_somebody_else(course, tmp_path):
    (course / "students.csv").write_text(NAMES)
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("Ada Lovelace_1_assignsubmission_file_/primer.ipynb", text(blank()))
        archive.writestr("ada/primer.ipynb", text(solved("emmy")))
    folder = tmp_path / "in" / "Emmy Noether_2_assignsubmission_file_"
    put(folder, "ada_1_2_primer.ipynb")
    put(folder, "x_ada_attempt_2099-01-01-00-00-00_y.ipynb")
    put(tmp_path / "in" / "emmy" / "work" / "ada", "primer.ipynb")
    (folder / "work.zip").write_bytes(inner.getvalue())
    (tmp_path / "in" / "noetheremmy_2_3_ada.zip").write_bytes(inner.getvalue())
    put(tmp_path / "in", "noetheremmy_2_3_x_ada_attempt_2099-01-01-00-00-00_y.ipynb")
    collect.collect(SET, str(tmp_path / "in"))
    assert submitted(course) == ["emmy"]


def damaged(data, place, value):
    return data[:place] + value + data[place + len(value) :]


def test_damaged_zips_and_dates_stop_nothing(course, tmp_path):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("dora.ipynb", text(blank()))
    data = made.getvalue()
    (tmp_path / "in").mkdir()
    directory = data.find(b"PK\x01\x02")
    (tmp_path / "in" / "a.zip").write_bytes(damaged(data, directory + 12, bytes(4)))  # no month
    (tmp_path / "in" / "b.zip").write_bytes(damaged(data, 60, b"\xff" * 300))
    put(tmp_path / "in", "emmy_attempt_2027-99-99-99-99-99_x.ipynb")
    put(tmp_path / "in", "ada.ipynb")
    with zipfile.ZipFile(tmp_path / "in" / "c.zip", "w") as archive:
        archive.writestr("a\x1b[2J\nada: 10 of 10.txt", "x")
    lines = collect.collect(SET, str(tmp_path / "in"))
    assert {"ada", "emmy"} <= set(submitted(course))
    assert all(line.isprintable() for line in lines)


def test_notebooks_of_strange_form_stop_nothing(course, tmp_path):
    def change(name, edit):
        notebook = json.loads(text(solved(name)))
        edit(notebook)
        put(tmp_path / "in", f"{name}.ipynb", json.dumps(notebook))

    def cell(notebook):
        return notebook["cells"][6]

    change("list", lambda n: cell(n)["metadata"].update(nbgrader=[1]))
    change("ids", lambda n: [c.update(id="x") for c in n["cells"]])
    change("number", lambda n: cell(n).update(source=5))
    change("nothing", lambda n: [c.pop("metadata") for c in n["cells"]])
    change("many", lambda n: n["cells"].extend(n["cells"] * 200))
    change("five", lambda n: n.update(nbformat=5))
    change("course", lambda n: n["metadata"].update(course=[1]))
    put(tmp_path / "in", "deep.ipynb", '{"cells":' + "[" * 10**5)
    put(tmp_path / "in", "good.ipynb")
    collect.collect(SET, str(tmp_path / "in"))
    problems = {e["student"]: e["problem"] for e in collect.load_log(SET)["files"]}
    assert len(problems) == 9 and problems["good"] == ""
    assert "2000 cells" in problems["many"]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("listed", [False, True])
def test_folders_around_everything_name_nobody(course, tmp_path, packed, listed):
    if listed:
        (course / "students.csv").write_text(NAMES)
    places = [f"export/submissions/{name}.ipynb" for name in ("ada", "emmy", "sam1")]
    if packed:
        with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
            for place in places:
                archive.writestr(place, text(blank()))
        lines = collect.collect(SET, str(tmp_path / "all.zip"))
    else:
        for place in places:
            put(tmp_path / "in", place)
        lines = collect.collect(SET, str(tmp_path / "in"))
    assert submitted(course) == ["ada", "emmy", "sam1"]
    assert any("'export/submissions/' is around all files" in line for line in lines)


def test_one_students_folder_is_no_wrapper(course, tmp_path):
    (course / "students.csv").write_text(NAMES)
    for name in ("old", "new"):
        put(tmp_path / "in" / "ada", f"{name}.ipynb")
    collect.collect(SET, str(tmp_path / "in"))
    assert submitted(course) == ["ada"]


def test_a_zip_of_ones_own_has_its_own_date(course, tmp_path):
    (course / "students.csv").write_text(NAMES)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        early = zipfile.ZipInfo(
            "Emmy Noether_1_assignsubmission_file_/p.ipynb", (2001, 1, 1, 0, 0, 0)
        )
        archive.writestr(early, text(blank()))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ada.zip").write_bytes(made.getvalue())
    os.utime(tmp_path / "in" / "ada.zip", (1_800_000_000, 1_800_000_000))
    collect.collect(SET, str(tmp_path / "in"))
    (entry,) = collect.load_log(SET)["files"]
    assert (entry["student"], entry["time"]) == ("ada", "2027-01-15T08-00-00Z")


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_odd_packing_is_not_unpacked(course, tmp_path, kind):
    with zipfile.ZipFile(tmp_path / "all.zip", "w", kind) as archive:
        archive.writestr("ada.ipynb", text(blank()))
    collect.collect(SET, str(tmp_path / "all.zip"))
    (entry,) = collect.load_log(SET)["files"]
    assert "cannot be unpacked" in entry["problem"]


def test_what_was_put_right_is_reported_no_more(course, tmp_path):
    (course / "students.csv").write_text("id,name\nada,Ada\n")
    put(tmp_path / "in", "rita.ipynb")
    assert any("whose is it" in line for line in collect.collect(SET, str(tmp_path / "in")))
    put(tmp_path / "other", "ada.ipynb", text(added(blank(), "1 + 1")))
    assert any("whose is it" in line for line in collect.collect(SET, str(tmp_path / "other")))
    (course / "students.csv").write_text("id,name\nada,Ada\nrita,Rita\n")
    assert not any("whose is it" in line for line in collect.collect(SET, str(tmp_path / "in")))
    assert submitted(course) == ["ada", "rita"]


@pytest.mark.parametrize("letters", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_tables_of_all_spreadsheets_are_read(tmp_path, letters, between):
    from grading import tables

    lines = ["id,name", "ada,Ada Lovelace", ",,", "quentin,Quentin Müller", ""]
    path = tmp_path / "t.csv"
    path.write_bytes("\r\n".join(lines).replace(",", between).encode(letters))
    rows = tables.read(path)
    assert rows == [
        {"id": "ada", "name": "Ada Lovelace"},
        {"id": "quentin", "name": "Quentin Müller"},
    ]


def test_formulas_in_names_are_harmless():
    from grading import tables

    assert tables.harmless('=HYPERLINK("x")').startswith("'=")
    assert tables.harmless("Ada") == "Ada"


@pytest.mark.parametrize("name", ["mallory_primer.zip", "primer-mallory.zip", "export.zip"])
@pytest.mark.parametrize("listed", [False, True])
def test_names_in_a_zip_beside_others_are_nobodys(course, tmp_path, name, listed):
    if listed:
        (course / "students.csv").write_text("id,name\nada,Ada\nmallory,Mallory\n")
    good = text(solved("ada"))
    put(tmp_path / "in", "ada.ipynb", good, 1_700_000_000)
    with zipfile.ZipFile(tmp_path / "in" / name, "w") as archive:
        archive.writestr("ada.ipynb", text(blank()))
        archive.writestr("bela.ipynb", text(blank()))
    lines = collect.collect(SET, str(tmp_path / "in"))
    assert any("collect it by itself" in line for line in lines)
    assert (course / "submitted" / "ada" / SET / f"{SET}.ipynb").read_text() == good
    if name == "export.zip" and listed:
        assert any("whose is it" in line for line in lines)
    else:
        assert submitted(course) == sorted(["ada", "mallory" if "mallory" in name else "export"])


def test_only_notebooks_are_unpacked(course, tmp_path, monkeypatch):
    monkeypatch.setattr(collect, "MOST_UNPACKED", 2 * len(text(blank()).encode()))
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.txt", "0" * 10**6)
        for name in ("ada", "bela", "carl"):
            archive.writestr(f"{name}.ipynb", text(blank()))
    collect.collect(SET, str(tmp_path / "all.zip"))
    assert submitted(course) == ["ada", "bela"]
    problems = {e["student"]: e["problem"] for e in collect.load_log(SET)["files"]}
    assert "cannot be unpacked" in problems["carl"]
