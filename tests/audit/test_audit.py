"""The audit finds each mistake once, under its rule, in its file, and is silent about a good set."""

from __future__ import annotations

import ast
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from amp_datasets.audit.api import audit, audit_path, is_manifest
from amp_datasets.audit.reasons import RULE_OF
from amp_datasets.audit.report import AuditReport
from amp_datasets.audit.rules import RULES, SEVERITIES, Finding, of_reading
from amp_datasets.demo.write import write_demo
from amp_datasets.errors import AmpError
from amp_datasets.geometry import shapes as geometry
from amp_datasets.images.codec import Limits
from amp_datasets.model import Annotation, Box, Category, Dropped, ImageFile, LabelSet, Polygon, Repair, Sample, Size
from amp_datasets.plugin.discovery import load_registry

ROOT = Path(__file__).parents[2]
SIZE: Size = (80, 60)
GOOD = Annotation("cat", (10.0, 10.0, 50.0, 40.0))


def scene(seed: int, size: Size = SIZE) -> PillowImage.Image:
    """An image of large random patches: nothing like that of another seed."""
    patches = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return PillowImage.fromarray(patches).resize(size, PillowImage.Resampling.BICUBIC)


def png(image: PillowImage.Image, **options: object) -> bytes:
    """The image as a PNG file's bytes."""
    stream = io.BytesIO()
    image.save(stream, "PNG", **options)
    return stream.getvalue()


def sample(
    number: int, *labels: Annotation, data: bytes | None = None, split: str | None = None, name: str | None = None
) -> Sample:
    """A labelled image of its own."""
    name = name or f"p{number}.png"
    file = ImageFile(Path(name), data=png(scene(number)) if data is None else data)
    return Sample(name, file, SIZE, labels or (GOOD,), split=split)


def label_set(*samples: Sample, names: Sequence[str] = ("cat",), enough: bool = True) -> LabelSet:
    """Some samples with enough good ones besides, so that classes and splits are as they should be."""
    more = [sample(100 + n, GOOD, split=samples[0].split if samples else None) for n in range(5 if enough else 0)]
    return LabelSet(tuple(map(Category, names)), (*samples, *more), name="set")


def rules(found: Sequence[Finding]) -> list[str]:
    """The ids found, each as often as it is."""
    return [each.rule for each in found]


def only(labels: LabelSet) -> Finding:
    """The one finding of a set."""
    (found,) = audit(labels)
    return found


def box(x0: float, y0: float, x1: float, y1: float, category: str = "cat") -> Annotation:
    """A plain box."""
    return Annotation(category, (x0, y0, x1, y1))


def outlined(*points: tuple[float, float], xyxy: Box | None = None) -> Annotation:
    """A polygon with its own box, or with another."""
    ring = np.array(points, dtype=np.float64)
    return Annotation("cat", xyxy or geometry.bounds([ring]), polygons=(Polygon(ring),))


def test_good_set_has_no_finding() -> None:
    """Nothing is complained of where nothing is wrong."""
    assert audit(label_set(sample(1), sample(2, GOOD, box(52, 10, 78, 55)))) == []


@pytest.mark.parametrize(
    ("label", "rule"),
    [
        (box(90, 10, 99, 40), "AMP101"),
        (box(60, 10, 80.5, 40), "AMP102"),
        (box(10, 10, 10, 40), "AMP103"),
        (box(40, 10, 10, 40), "AMP103"),
        (box(10, 10, 12, 40), "AMP104"),
        (box(0.5, 0.5, 80, 60), "AMP105"),
        (box(float("nan"), 1, 2, 3), "AMP108"),
        (box(0, 0, float("inf"), 30), "AMP108"),
        (outlined((10, 10), (50, 40), (50, 10), (10, 30)), "AMP109"),
        (outlined((10, 10), (50, 10), (50, 40), (10, 40), (10, 10)), "AMP110"),
        (outlined((10, 10), (50, 10), (50, 40), xyxy=(10, 10, 54, 40)), "AMP111"),
        (replace(GOOD, keypoints=np.array([[200.0, 20, 2], [20, 20, 2]])), "AMP112"),
        (replace(GOOD, mask=geometry.encode_mask(np.ones((60, 81), dtype=bool))), "AMP114"),
        (replace(GOOD, mask=geometry.encode_mask(np.pad(np.ones((30, 30), bool), ((10, 20), (10, 40))))), "AMP111"),
        (replace(GOOD, corners=geometry.rectangle((10, 10, 44, 40))), "AMP111"),
    ],
)
def test_mistake_of_a_label_is_found_at_its_number(label: Annotation, rule: str) -> None:
    """One wrong label gives one finding, which names the image and the label's number, and how to repair it."""
    found = only(label_set(sample(1, box(55, 45, 75, 58), label)))
    assert (found.rule, found.file) == (rule, "p1.png#2")
    assert found.fix == RULES[rule].fix
    assert found.severity == RULES[rule].severity


@pytest.mark.parametrize(
    "label",
    [
        box(0, 0, 80, 56.9),
        box(10, 10, 13, 13),
        box(10, 10, 80 + 1e-9, 40),
        outlined((10, 10), (50, 10), (50, 40), xyxy=(10, 10, 51.9, 40)),
        replace(GOOD, corners=geometry.rectangle((10, 10, 50, 40))),
        replace(GOOD, keypoints=np.array([[200.0, 20, 0], [20, 20, 2]])),
    ],
    ids=["large", "small", "rounded", "outline", "corners", "unlabelled point"],
)
def test_label_just_within_bounds_is_good(label: Annotation) -> None:
    """The bounds are where they are said to be: no false alarm on this side."""
    assert audit(label_set(sample(1, label))) == []


def test_object_labelled_twice_is_found_by_its_box() -> None:
    """Boxes that are practically equal: AMP106 in one class, AMP107 in two."""
    twice = only(label_set(sample(1, GOOD, box(10.2, 10, 50, 40))))
    assert (twice.rule, twice.file) == ("AMP106", "p1.png#2")
    exact = only(label_set(sample(1, GOOD, GOOD)))
    assert exact.rule == "AMP106"
    animals = [sample(n, replace(GOOD, category="dog")) for n in range(2, 7)]
    two = only(label_set(sample(1, GOOD, box(10, 10, 50, 40.3, "dog")), *animals, names=("cat", "dog")))
    assert (two.rule, two.file) == ("AMP107", "p1.png#2")
    assert "cat" in two.what
    assert "dog" in two.what


def test_objects_that_only_share_a_box_are_two() -> None:
    """Outlines decide where there are some; a crowd may lie over anything."""
    one = outlined((10, 10), (50, 10), (10, 40), xyxy=(10, 10, 50, 40))
    other = outlined((50, 40), (50, 10), (10, 40), xyxy=(10, 10, 50, 40))
    assert audit(label_set(sample(1, one, other))) == []
    assert audit(label_set(sample(1, GOOD, replace(GOOD, iscrowd=True)))) == []


def test_class_names_are_judged() -> None:
    """Names that collide, lines of a README, and names whose meaning a filter changes."""
    names = (
        "cat",
        "Car",
        "car ",
        "- collaborate with your team on projects",
        "left_turn",
        "digit",
        "red_car",
        "exported 2023-01-07",
    )
    found = [each for each in audit(label_set(names=names)) if each.rule != "AMP203"]
    assert [(each.rule, each.file) for each in found] == [
        ("AMP201", "classes"), ("AMP202", "classes"), ("AMP204", "classes"), ("AMP205", "classes"),
        ("AMP206", "classes"), ("AMP202", "classes"),
    ]  # fmt: skip
    assert "Car, car " in found[0].what
    assert "no class is its mirror image" in found[2].what


def test_mirror_image_of_a_class_is_named() -> None:
    """With both sides there the note says what becomes what."""
    found = audit(label_set(names=("cat", "left_turn", "right_turn")))
    sides = [each.what for each in found if each.rule == "AMP204"]
    assert sides[0].endswith("its mirror image is right_turn")


@pytest.mark.parametrize("name", ["", "cat", "accordion", "textile", "Person", "credit card", "upper", "greenhouse"])
def test_ordinary_names_are_good(name: str) -> None:
    """Words are compared as wholes."""
    assert [each for each in audit(label_set(names=("cat", name))) if each.rule != "AMP203" and name != "cat"] == []


def test_class_without_label_is_noted() -> None:
    """A class that nothing is labelled as keeps its number and is listed."""
    assert only(label_set(names=("cat", "dog"))).what == "class without labels: dog"


def test_same_file_and_same_look_are_told_apart() -> None:
    """A byte-for-byte copy and a re-encoded one, each with its rule; the worse one over two splits."""
    again = png(scene(1), compress_level=1)
    assert again != png(scene(1))
    copy, near = sample(2, data=png(scene(1))), sample(3, data=again)
    assert only(label_set(sample(1), copy)).rule == "AMP311"
    assert only(label_set(sample(1), near)).rule == "AMP313"
    good = [sample(10 + n, split="validation") for n in range(5)]
    for other, rule in ((copy, "AMP312"), (near, "AMP314")):
        found = only(label_set(sample(1, split="train"), replace(other, split="validation"), *good))
        assert (found.rule, found.file, found.severity) == (rule, other.source_id, "error")
        assert "p1.png (train)" in found.what


def test_copies_of_a_group_in_two_splits_are_an_error() -> None:
    """What Roboflow made of one image must not be in train and validation."""
    one = replace(sample(1, split="train"), group="a_jpg")
    other = replace(sample(2, split="validation"), group="a_jpg")
    good = [sample(10 + n, split="validation") for n in range(5)]
    found = only(label_set(one, other, *good))
    assert (found.rule, found.severity) == ("AMP315", "error")
    assert "1 in train, 1 in validation" in found.what


def test_images_are_judged() -> None:
    """Never labelled, too small, stored turned, of another size than labelled, not readable."""
    exif = PillowImage.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    scene(9, (60, 80)).save(stream, "JPEG", exif=exif)
    assert only(label_set(replace(sample(1), annotations=(), labelled=False))).rule == "AMP309"
    assert audit(label_set(replace(sample(1), annotations=()))) == []
    small = replace(sample(1, box(1, 1, 7, 7), data=png(scene(1, (9, 9)))), size=(9, 9))
    assert only(label_set(small)).rule == "AMP307"
    assert only(label_set(sample(1, data=stream.getvalue()))).rule == "AMP305"
    assert only(label_set(sample(1, data=png(scene(1, (79, 60)))))).rule == "AMP304"
    gone = replace(sample(1), image=ImageFile(Path("/nowhere/p1.png")))
    assert only(label_set(gone)).rule == "AMP301"


def test_classes_missing_in_a_split_are_named() -> None:
    """A split without a class cannot tell how well it is found."""
    both = [sample(n, GOOD, box(52, 5, 75, 50, "dog"), split="train") for n in range(5)]
    cats = [sample(10 + n, GOOD, split="validation") for n in range(5)]
    found = only(LabelSet((Category("cat"), Category("dog")), (*both, *cats)))
    assert (found.rule, found.what) == ("AMP401", "class is missing in a split: dog in validation")
    few = only(label_set(sample(1), enough=False))
    assert (few.rule, few.severity, few.what) == ("AMP402", "note", "class has very few images: cat, 1")


def test_everything_that_reading_counts_has_a_rule() -> None:
    """Every reason that a reader of the package or a shipped format counts is mapped, so none is called `something`."""
    counted: set[str] = set()
    for file in [*(ROOT / "amp_datasets").rglob("*.py"), *(ROOT / "plugins" / "formats").rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name) and len(node.args) > 1:
                called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
                reason = node.args[called != "RowError"]
                if called in {"drop", "repair", "Dropped", "Repair", "RowError"} and isinstance(reason, ast.Constant):
                    counted.add(str(reason.value))
    assert len(counted) > 40
    assert counted - set(RULE_OF) == set()


def test_unknown_reason_is_reported_all_the_same() -> None:
    """A plugin's own reason is not lost."""
    found = of_reading([Dropped("a.jpg", "moon was full", "really"), Repair("b.jpg", "ink was wet")])
    assert [(f.rule, f.file, f.what) for f in found] == [
        ("AMP590", "a.jpg", "moon was full: really"),
        ("AMP591", "b.jpg", "ink was wet"),
    ]


def test_finding_is_json() -> None:
    """All five fields by name."""
    found = only(label_set(sample(1, GOOD, GOOD))).to_json()
    assert set(json.loads(json.dumps(found))) == {"rule", "file", "what", "fix", "severity"}


def test_rules_are_stable_and_complete() -> None:
    """Ids are unique, every rule says what it is and what to do."""
    assert all(rule.id == name and rule.title and rule.fix for name, rule in RULES.items())
    assert list(RULES) == sorted(RULES)
    assert set(RULE_OF.values()) <= set(RULES)


def write_yolo(folder: Path, images: int = 5, names: str = "[cat]", first: int = 0) -> Path:
    """A YOLO set with a good label in each image."""
    for part in ("images", "labels"):
        (folder / part / "train").mkdir(parents=True)
    for number in range(first, first + images):
        (folder / "images" / "train" / f"p{number}.png").write_bytes(png(scene(number)))
        (folder / "labels" / "train" / f"p{number}.txt").write_text("0 0.5 0.5 0.4 0.4\n")
    (folder / "data.yaml").write_text(f"train: images/train\nnames: {names}\n")
    return folder


def test_set_is_audited_from_disk(tmp_path: Path) -> None:
    """The report says what was found, as what it was read and why, and what is there."""
    folder = write_yolo(tmp_path / "set")
    (folder / "labels" / "train" / "p0.txt").write_text("0 0.5 0.5 0.4 0.4\n7 0.5 0.5 0.4 0.4\n0 0.5 nan 0.4 0.4\n")
    (folder / "labels" / "train" / "p1.txt").write_text("")
    (folder / "labels" / "train" / "p2.txt").unlink()
    (folder / "labels" / "train" / "gone.txt").write_text("0 0.5 0.5 0.4 0.4\n")
    report = audit_path(folder, load_registry())
    assert report.states == {"labelled": 3, "empty": 2}
    assert report.classes == {"cat": 3}
    assert report.splits == {"train": 5}
    assert report.formats[str(folder)].startswith("yolo: ")
    assert report.failed
    order = [SEVERITIES.index(each.severity) for each in report.findings]
    assert order == sorted(order)
    assert {"AMP108", "AMP211", "AMP302", "AMP322"} <= set(rules(report.findings))
    assert "AMP590" not in rules(report.findings)
    assert "AMP591" not in rules(report.findings)


def test_data_yaml_names_its_set(tmp_path: Path) -> None:
    """It has `names`, so it is no manifest; a manifest with a mistake is one all the same."""
    folder = write_yolo(tmp_path / "set")
    manifest = tmp_path / "amp.yaml"
    manifest.write_text("sources: [set]\n")
    broken = tmp_path / "broken.yaml"
    broken.write_text("sources: [\n")
    assert not is_manifest(folder / "data.yaml")
    assert not is_manifest(folder)
    assert is_manifest(manifest)
    assert is_manifest(broken)
    assert audit_path(folder / "data.yaml", load_registry()).states == {"labelled": 5}
    with pytest.raises(AmpError, match="not YAML"):
        audit_path(broken, load_registry())


def test_label_file_of_json_is_no_manifest(tmp_path: Path) -> None:
    """COCO and CreateML name their sets; a manifest may be JSON too."""
    for name, content, wanted in (
        ("coco.json", {"images": [], "annotations": []}, False),
        ("createml.json", [], False),
        ("amp.json", {"sources": ["set"]}, True),
    ):
        (tmp_path / name).write_text(json.dumps(content))
        assert is_manifest(tmp_path / name) is wanted


def test_manifest_is_audited_as_joined(tmp_path: Path) -> None:
    """Each source by itself, and what shows only when they are together; splits are those that will be made."""
    write_yolo(tmp_path / "a", names="[Cat]")
    write_yolo(tmp_path / "b", names="[cat]", first=4)
    manifest = tmp_path / "amp.yaml"
    manifest.write_text("sources: [a, b]\nsplits: {train: 0.5, validation: 0.5}\nexports: [coco]\n")
    report = audit_path(manifest, load_registry())
    found = {each.rule: each for each in report.findings if each.severity != "note"}
    assert set(found) == {"AMP201", "AMP311"}
    assert "a/images/train/p4.png" in found["AMP311"].what
    assert "b/images/train/p4.png" in found["AMP311"].what
    assert found["AMP201"].what.endswith("Cat, cat")
    assert set(report.splits) == {"train", "validation"}
    assert sum(report.splits.values()) == 10


def test_copies_within_a_source_are_told_once(tmp_path: Path) -> None:
    """What a source's own audit has found is not found again between sources."""
    folder = write_yolo(tmp_path / "a")
    (folder / "images" / "train" / "p1.png").write_bytes(png(scene(0)))
    write_yolo(tmp_path / "b", first=10)
    manifest = tmp_path / "amp.yaml"
    manifest.write_text("sources: [a, b]\nsplits: {train: 0.5, validation: 0.5}\nexports: [coco]\n")
    found = [each.file for each in audit_path(manifest, load_registry()).findings if each.rule == "AMP311"]
    assert found == ["a/images/train/p1.png"]


def test_source_that_cannot_be_joined_is_a_finding(tmp_path: Path) -> None:
    """The others are audited all the same."""
    write_yolo(tmp_path / "a")
    manifest = tmp_path / "amp.yaml"
    manifest.write_text("sources: [a, missing]\nclasses: [dog]\nexports: [coco]\n")
    report = audit_path(manifest, load_registry())
    found = [(each.rule, each.file.split("/")[-1]) for each in report.findings]
    assert found == [("AMP001", "missing"), ("AMP001", "amp.yaml")]
    assert "unknown_classes" in report.findings[1].fix


def test_names_that_filters_falsify_are_warnings_where_there_are_filters(tmp_path: Path) -> None:
    """A colour in a class name is only a note until a manifest has filters."""
    folder = write_yolo(tmp_path / "a", names="[red ball]")
    manifest = tmp_path / "amp.yaml"
    manifest.write_text("sources: [a]\nfilters: {hue: {degrees: 90}}\nexports: [coco]\n")
    assert not audit_path(folder, load_registry()).failed
    assert [(f.rule, f.severity) for f in audit_path(manifest, load_registry()).findings] == [("AMP206", "warning")]
    assert audit_path(manifest, load_registry(), ignore=["AMP206"]).findings == []
    with pytest.raises(AmpError, match="is not a rule"):
        audit_path(manifest, load_registry(), ignore=["AMP999"])


def test_image_beyond_the_limits_has_its_own_rule(tmp_path: Path) -> None:
    """What is too large is not called broken."""
    folder = write_yolo(tmp_path / "a")
    report = audit_path(folder, load_registry(), limits=Limits(max_pixels=SIZE[0] * SIZE[1] - 1))
    assert rules(report.findings).count("AMP308") == 5


def test_text_groups_by_rule_and_says_how_to_mend() -> None:
    """Five files of each rule, the count of all, one fix, one summary line."""
    report = AuditReport("set", findings=audit(label_set(*[sample(n, GOOD, GOOD) for n in range(7)])))
    report.count([Category("cat")], [sample(1)])
    lines = report.as_text()
    assert "warning AMP106: 7 x object labelled twice with one class" in lines
    assert [line for line in lines if line.startswith("    p")] == [
        f"    p{n}.png#2: same object as label 1: cat" for n in range(5)
    ]
    assert "    ... and 2 more (-v shows all)" in lines
    assert lines[-2] == f"    fix: {RULES['AMP106'].fix}"
    assert lines[-1] == "1 image, 1 label: 7 warnings"
    assert sum(line.startswith("    p") for line in report.as_text(verbose=True)) == 7


def test_many_classes_are_a_table() -> None:
    """One line each, the commonest first, by split, with a bar; the same numbers in JSON and in a notebook."""
    names = [f"class {number}" for number in range(80)]
    report = AuditReport("set")
    samples = [
        sample(
            number, *[replace(GOOD, category=names[number])] * (number % 7 + 1), split="train" if number % 2 else "test"
        )
        for number in range(80)
    ]
    report.count([Category(name) for name in names], samples)
    lines = report.as_text()
    table = [line for line in lines if line.startswith("class ")]
    assert table[0].split() == ["class", "train", "test", "labels"]
    assert len(table) == 81
    counts = [int(line.split()[4]) for line in table[1:]]
    assert counts == sorted(counts, reverse=True)
    assert all(int(line.split()[2]) + int(line.split()[3]) == n for line, n in zip(table[1:], counts, strict=True))
    assert table[1].endswith("#" * 30)
    assert max(map(len, table)) < 80
    assert sum(report.to_json()["classes_by_split"]["test"].values()) + sum(report.by_split["train"].values()) == sum(
        counts
    )
    assert report._repr_html_().count("<tr>") == 81


def test_notebooks_show_names_as_text() -> None:
    """Of reports and findings; nothing of a name is markup."""
    report = AuditReport("set", findings=audit(label_set(sample(1, GOOD, GOOD, name="<b>.png"))))
    report.count([Category("<i>cat")], [])
    for html in (report._repr_html_(), report.findings[0]._repr_html_()):
        assert "<b>" not in html
        assert "<i>" not in html
        assert "AMP106" in html


def test_text_of_a_good_set_is_short(tmp_path: Path) -> None:
    """Counts and one line; how it was read only when asked."""
    report = audit_path(write_yolo(tmp_path / "a"), load_registry())
    assert report.as_text() == [
        "images: 5 labelled; 5 train",
        "labels: 5 cat",
        "5 images, 5 labels: nothing to complain of",
    ]
    assert report.as_text(verbose=True)[0].startswith(f"{tmp_path / 'a'}: yolo: ")
    assert json.loads(json.dumps(report.to_json()))["failed"] is False


def test_an_address_on_the_hub_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its two slashes survive; what is fetched is audited."""
    asked: list[str] = []

    def fetch(address: str) -> Path:
        asked.append(address)
        write_demo(tmp_path / "fetched", images=2, size=(64, 48))
        return tmp_path / "fetched"

    monkeypatch.setattr("amp_datasets.sources.hub.open_hub", fetch)
    report = audit_path("hf://datasets/owner/name@main", load_registry())
    assert asked == ["hf://datasets/owner/name@main"]
    assert report.path == asked[0]


def test_colour_modes_frames_and_profiles_are_noted(tmp_path: Path) -> None:
    """What trainers would see differently, or not at all, each with its rule; a dark 16-bit image is a warning."""
    folder = tmp_path / "set"
    folder.mkdir()
    rgb = scene(1)
    rgb.save(folder / "plain.jpg")
    rgb.save(folder / "profile.jpg", icc_profile=b"\0" * 200)
    rgb.convert("RGBA").save(folder / "alpha.png")
    rgb.convert("CMYK").save(folder / "ink.tif")
    rgb.save(folder / "pages.tif", save_all=True, append_images=[scene(2)])
    grey = np.asarray(rgb.convert("L"), np.uint16)
    PillowImage.fromarray(grey * 257).save(folder / "bright.png")
    PillowImage.fromarray(grey).save(folder / "dark.png")
    rows = [f"{file.name},{SIZE[0]},{SIZE[1]},cat,2,2,30,30" for file in sorted(folder.iterdir())]
    (folder / "labels.csv").write_text("\n".join(["filename,width,height,class,xmin,ymin,xmax,ymax", *rows]) + "\n")
    (folder / "out.jpg").symlink_to(tmp_path / "elsewhere.jpg")
    rgb.save(tmp_path / "elsewhere.jpg")
    findings = audit_path(folder, load_registry()).findings
    found = {(each.file, each.rule) for each in findings if each.rule.startswith("AMP33")}
    assert found == {
        ("alpha.png", "AMP332"), ("bright.png", "AMP331"), ("dark.png", "AMP331"), ("dark.png", "AMP336"),
        ("ink.tif", "AMP333"), ("pages.tif", "AMP334"), ("profile.jpg", "AMP335"), ("out.jpg", "AMP330"),
    }  # fmt: skip
