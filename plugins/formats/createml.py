"""CreateML JSON: one list of images, boxes by their centre in pixels.

https://developer.apple.com/documentation/createml/building-an-object-detector-data-source

    [{"image": "a.jpg",
      "annotations": [{"label": "cat", "coordinates": {"x": 50, "y": 40, "width": 20, "height": 10}}]}]

The file holds neither sizes nor a list of classes: their order is that of a `classes.txt`, else of their first
appearance. An image with an empty list is confirmed empty. What x and y are is not said in the file either: Apple's
default is the box's centre in pixels from the top left. Where the boxes of a file prove otherwise they are read as they
are, which is counted; the options settle it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Literal

from amp_datasets.formats.base import Detection, Exporter, Feature, Options, Source
from amp_datasets.formats.kit.box_form import OTHER_FORM, BoxEvidence, BoxForm
from amp_datasets.formats.kit.documents import first_json, json_files, take_json
from amp_datasets.formats.kit.entries import createml_entry, write_createml
from amp_datasets.formats.kit.meaning.split_lists import split_of_file
from amp_datasets.formats.kit.reading import brief, category_name, finite
from amp_datasets.images.codec import Header
from amp_datasets.model import Annotation, Category, LabelSet, Size
from amp_datasets.plugin.registry import Registry
from amp_datasets.storage.folder import Folder

_KEYS = ("x", "y", "width", "height")
_HEAD_BYTES = 65536
"""A list of images names its first annotation here."""

Entry = tuple[str, Header, list[Any]]
"""An image with its header, and its labels as they are written."""


class CreateMLOptions(Options):
    """What the numbers are, by the names that Apple gives the choices; the defaults are Apple's.

    `auto` is the centre in pixels, unless all boxes of a file tell that they are something else.
    """

    anchor: Literal["auto", "center", "topleft"] = "auto"
    units: Literal["auto", "pixel", "normalized"] = "auto"
    origin: Literal["topleft", "bottomleft"] = "topleft"


class CreateMLSource(Source[CreateMLOptions]):
    """Reads every CreateML JSON of a folder; each names images beside itself."""

    name: ClassVar[str] = "createml"
    title: ClassVar[str] = "CreateML JSON (x, y are the box's centre)"
    options_type: ClassVar[type[Options]] = CreateMLOptions

    @classmethod
    def detect(cls, folder: Folder) -> Detection | None:
        """A JSON list of images, each with a list of annotations that have `coordinates`."""
        found = first_json(folder, _is_createml, b'"annotation', head=_HEAD_BYTES)
        if found is None:
            return None
        file, error = found
        return Detection(f"{file} lists images with `annotations`", 80, file) if error is None else None

    def read(self) -> LabelSet:
        """The set; entries of wrong shape are dropped one by one."""
        names: dict[str, None] = {}
        for file in json_files(self.folder, _is_createml, b'"annotation', head=_HEAD_BYTES):
            self.reading.use(file)
            names.update(dict.fromkeys(name for name in self.reading.classes.near(file).names if name))
            entries = [*filter(None, (self._entry(file, entry) for entry in take_json(self.folder, file)))]
            form = self._form(file, entries)
            for image, header, labels in entries:
                self._read_image(file, image, header, labels, form, names)
        return self.reading.finish([Category(name) for name in names])

    def _entry(self, file: str, entry: Any) -> Entry | None:
        """An image with its header and its labels as they are written; None, and counted, if it has no image."""
        reference = (entry.get("image") or entry.get("imagefilename")) if isinstance(entry, dict) else None
        labels = (entry.get("annotations", entry.get("annotation"))) if isinstance(entry, dict) else None
        if not isinstance(reference, str) or not isinstance(labels, list):
            self.reading.drop(f"{file}: {brief(entry)}", "entry has no image or no list of annotations")
            return None
        image = self.reading.image_of(reference, file, split=split_of_file(file))
        header = None if image is None else self.reading.header(image)
        return None if image is None or header is None else (image, header, labels)

    def _form(self, file: str, entries: Iterable[Entry]) -> BoxForm:
        """What the four numbers of a file's boxes are."""
        anchor, units = self.options.anchor, self.options.units
        evidence = BoxEvidence()
        for _, header, labels in entries:
            for label in labels:
                evidence.see(_numbers(label), header.size)
        found = evidence.judge(stated="cxcywh")
        if found.form == "xyxy" or self.options.origin == "bottomleft":
            found = BoxForm("cxcywh", found.shares)
        form = found.form if anchor == "auto" else "cxcywh" if anchor == "center" else "xywh"
        shares = found.shares if units == "auto" else units == "normalized"
        if found.rule and anchor == "auto" and not found.shares:
            choice = "`--option anchor=center` (or topleft) settles it"
            self.reading.repair(file, found.rule, f"{found.detail}; {choice}")
        if shares and units == "auto":
            detail = "all are shares of the image: read so; `--option units=pixel` (or normalized) settles it"
            self.reading.repair(file, OTHER_FORM, detail)
        return BoxForm(form, shares)

    def _read_image(
        self, file: str, image: str, header: Header, labels: list[Any], form: BoxForm, names: dict[str, None]
    ) -> None:
        annotations = []
        for number, label in enumerate(labels, start=1):
            try:
                annotations.append(self._annotation(label, form, header.size))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                self.reading.drop(f"{image}#{number}", "label cannot be read", f"{type(error).__name__}: {error}")
        names.update(dict.fromkeys(a.category for a in annotations))
        if labels and not annotations:
            self.reading.drop(image, "no usable label", f"all {len(labels)} labels were dropped")
            return
        split = self.reading.splits.of(image, file)
        self.reading.add(image, annotations, header=header, split=split, label_file=file)

    def _annotation(self, label: Any, form: BoxForm, size: Size) -> Annotation:
        coordinates = label["coordinates"]
        numbers = [finite(coordinates[key]) for key in _KEYS]
        if numbers[2] < 0 or numbers[3] < 0:
            raise ValueError(f"negative size {numbers[2]} x {numbers[3]}")
        x0, y0, x1, y1 = form.xyxy(numbers, size)
        if self.options.origin == "bottomleft":
            down = y1 - y0
            y0, y1 = (size[1] - y1, size[1] - y0) if form.form == "cxcywh" else (size[1] - y0, size[1] - y0 + down)
        return Annotation(category_name(label["label"]), (x0, y0, x1, y1))


class CreateMLExporter(Exporter[Options]):
    """Writes one folder a split with the images and `_annotations.createml.json`."""

    name: ClassVar[str] = "createml"
    title: ClassVar[str] = "CreateML JSON (x, y are the box's centre)"
    holds: ClassVar[frozenset[Feature]] = frozenset({"empty", "split", "classes"})

    def write(self, labels: LabelSet) -> None:
        """Write images and label files."""
        entries: dict[str, list[dict[str, Any]]] = {}
        for sample in labels.samples:
            if sample.labelled:
                split = str(sample.split)
                entries.setdefault(split, []).append(createml_entry(sample))
                self.place(sample, self.target / split / sample.source_id)
        for split, rows in entries.items():
            write_createml(self.target / split / "_annotations.createml.json", rows)
        names = "".join(f"{category.name}\n" for category in labels.categories)
        (self.target / "classes.txt").write_text(names, encoding="utf-8", newline="\n")


def _is_createml(document: Any) -> bool:
    """Whether a document is a list of images, each with a list of annotations, some with `coordinates`."""
    if not isinstance(document, list) or not document:
        return False
    entries = [entry for entry in document if isinstance(entry, dict)]
    lists = [entry.get("annotations", entry.get("annotation")) for entry in entries]
    named = any("image" in entry or "imagefilename" in entry for entry in entries)
    labels = [label for labels in lists if isinstance(labels, list) for label in labels]
    placed = any(isinstance(label, dict) and isinstance(label.get("coordinates"), dict) for label in labels)
    return named and any(isinstance(each, list) for each in lists) and (placed or not labels)


def _numbers(label: Any) -> list[Any] | None:
    """The four numbers of a label; None for what has none."""
    coordinates = label.get("coordinates") if isinstance(label, dict) else None
    return [coordinates.get(key) for key in _KEYS] if isinstance(coordinates, dict) else None


def register(registry: Registry) -> None:
    """Offer both sides of the format."""
    registry.add_source(CreateMLSource)
    registry.add_exporter(CreateMLExporter)
