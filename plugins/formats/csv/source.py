"""Reads CSV tables with one row an object, whatever their columns are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from amp_datasets.errors import AmpError, SourceError
from amp_datasets.formats.base import Detection, Options, Source
from amp_datasets.formats.kit.box_form import BoxEvidence, BoxForm, GivenForm
from amp_datasets.formats.kit.meaning.split_lists import split_of_file
from amp_datasets.formats.kit.reading import category_name, is_readme
from amp_datasets.model import Annotation, Box, Category, LabelSet, Size
from amp_datasets.storage.folder import Folder

from .columns import Columns, class_columns, splits_in
from .siblings import CONTRADICTED, boxes_of, is_doubtful, settled
from .table import Row, Table, class_names, first_lines, is_class_list, parse_table, values

_SEEN_IMAGES = 200
"""How many images are looked at to judge what coordinates are."""
_SEEN_ROWS = 50


class CsvOptions(Options):
    """`boxes`: what the four numbers are; `values`: their unit; `unlisted`: what images are that no table names.

    `category` is the class of all rows of a table without a column for it, `class_column` the header of that column.
    """

    boxes: GivenForm = "auto"
    values: Literal["auto", "pixels", "shares"] = "auto"
    unlisted: Literal["unlabelled", "empty"] = "unlabelled"
    category: str | None = None
    class_column: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """A table, its rows by what they call their image, the form of its boxes, and names of classes by number."""

    file: str
    table: Table
    by_image: Mapping[str, list[tuple[int, Row]]]
    form: BoxForm
    numbered: Mapping[int, str]


class CsvSource(Source[CsvOptions]):
    """Reads every table of a folder whose columns are known; each names images beside itself."""

    name: ClassVar[str] = "csv"
    title: ClassVar[str] = "CSV, one row an object (TensorFlow, Roboflow, keras-retinanet, VoTT, OpenImages ...)"
    options_type: ClassVar[type[Options]] = CsvOptions

    @classmethod
    def detect(cls, folder: Folder) -> Detection | None:
        """A table with columns for an image and a box."""
        for file in folder.with_suffix(".csv", ".tsv"):
            try:
                table = parse_table(first_lines(folder.head(file, 65536)), file)
            except AmpError:
                continue
            if table is not None:
                return Detection(f"{file} has columns for an image and a box", 70, file)
        return None

    def read(self) -> LabelSet:
        """The set; rows of wrong shape are dropped one by one."""
        self._names: dict[str, None] = {}
        self._numbered, self._coded = class_names(self.folder)
        found = []
        for file in self.folder.with_suffix(".csv", ".tsv"):
            table = None if _is_aside(file) else parse_table(self.folder.read(file), self.folder.path(file))
            if table is None:
                continue
            listed = self.reading.classes.near(file).names or tuple(self._numbered.values())
            self._names.update(dict.fromkeys(name for name in listed if name))
            known = {number: name for number, name in enumerate(listed) if name} if listed else {}
            found.append(self._judged(file, table, {**known, **self._numbered}))
        for each in self._settled(found):
            self.reading.use(each.file)
            self._read_table(each)
        unlisted_is_empty = self.options.unlisted == "empty"
        return self.reading.finish([Category(name) for name in self._names], unlisted_is_empty=unlisted_is_empty)

    def _judged(self, file: str, table: Table, numbered: Mapping[int, str]) -> _Judged:
        """A table with what its columns and its boxes are, judged by what stands in it alone."""
        table = self._with_columns(file, table)
        by_image: dict[str, list[tuple[int, Row]]] = {}
        for line, row in table.rows:
            reference = table.image(row)
            if reference:
                by_image.setdefault(reference, []).append((line, row))
            else:
                self.reading.drop(f"{file}:{line}", "row names no image")
        return _Judged(file, table, by_image, self._form(file, table, by_image), numbered)

    def _settled(self, tables: list[_Judged]) -> Iterator[_Judged]:
        """The tables, each with the form of its boxes; one that no form brings in line with its siblings is dropped."""
        unsure = [each for each in tables if is_doubtful(each.form) or not each.table.columns.named]
        known: dict[tuple[str, str], list[Box]] = {}
        for each in (each for each in tables if unsure and each not in unsure):
            for key, boxes in boxes_of(self._written(each), each.form).items():
                known.setdefault(key, []).extend(boxes)
        others = ", ".join(each.file for each in tables if each not in unsure)
        for each in tables:
            form: BoxForm | None = each.form
            if known and each in unsure:
                form = settled(each.form, self._written(each), known) or (None if is_doubtful(each.form) else each.form)
            if form is None:
                hint = "`--option boxes=xyxy` (or xywh, cxcywh) settles what they are"
                self.reading.drop(each.file, CONTRADICTED, f"that of {others}; {hint}")
                continue
            if form.rule and not (form.shares and self.options.values == "pixels"):
                self.reading.repair(each.file, form.rule, form.detail)
            if self.options.values != "auto":
                form = replace(form, shares=self.options.values == "shares")
            yield replace(each, form=form)

    def _written(self, each: _Judged) -> dict[tuple[str, str], list[tuple[list[float], Size | None]]]:
        """The numbers of a table's boxes by image and class; rows that cannot be read are left out."""
        found: dict[tuple[str, str], list[tuple[list[float], Size | None]]] = {}
        for reference, rows in each.by_image.items():
            image = self.reading.images.resolve(reference, each.file).image
            for _, row in rows if image is not None else ():
                try:
                    key = str(image), self._category(each.table, row, each.numbered)
                    size = each.table.declared_size(row) or self.reading.size_of(key[0])
                    found.setdefault(key, []).append((each.table.numbers(row), size))
                except ValueError:
                    continue
        return found

    def _read_table(self, each: _Judged) -> None:
        self._say_numbers(each.file, each.table, each.numbered)
        for reference, rows in each.by_image.items():
            stated = each.table.split(rows[0][1])
            image = self.reading.image_of(reference, each.file, split=stated or split_of_file(each.file))
            if image is not None:
                split = stated or self.reading.splits.of(image, each.file)
                self._read_image(each.file, image, rows, each.table, each.form, split, each.numbered)

    def _with_columns(self, file: str, table: Table) -> Table:
        """The table with the columns of its image, class and split chosen by what stands in them."""
        columns = table.columns
        best = max(columns.images, key=lambda at: self._images_in(file, table, at))
        columns = replace(columns, images=(best,))
        if columns.split is not None and not splits_in([*values(table, columns.split)]):
            columns = replace(columns, split=None)
        return table.with_columns(self._with_class(file, table.with_columns(columns)))

    def _images_in(self, file: str, table: Table, at: int) -> int:
        """How many of the first rows name an image in a column."""
        some = dict.fromkeys(table.cell(row, at) for _, row in table.rows[:_SEEN_ROWS])
        return sum(1 for each in some if each and self.reading.images.resolve(each, file).image is not None)

    def _with_class(self, file: str, table: Table) -> Columns:
        columns, where = table.columns, self.folder.path(file)
        if self.options.class_column is not None:
            headers = [cell.strip() for cell in table.header]
            if self.options.class_column not in headers:
                fix = f"its columns are: {', '.join(headers) or 'without names'}"
                raise SourceError(f"there is no column `{self.options.class_column}`", where=where, fix=fix)
            return replace(columns, name=headers.index(self.options.class_column))
        if columns.name is not None or self.options.category is not None:
            return columns if self.options.category is None else replace(columns, name=None)
        found = class_columns(columns, [row for _, row in table.rows])
        words = [table.header[at].strip() for at in found]
        if len(found) > 1:
            fix = (
                f"give `class_column`, for example --option class_column={words[0]}, or `category` if all are one class"
            )
            raise SourceError(f"the class may be in any of the columns {', '.join(words)}", where=where, fix=fix)
        if found:
            self.reading.repair(file, "class column found by what stands in it", f"`{words[0]}`")
            return replace(columns, name=found[0])
        self.reading.repair(
            "classes", "labels without a category read as one class", f"{file} has no column of classes"
        )
        return columns

    def _say_numbers(self, file: str, table: Table, numbered: Mapping[int, str]) -> None:
        """Count a column of nothing but numbers which no list names."""
        found = {*values(table, table.columns.name)} if table.columns.name is not None and not numbered else set()
        if found and all(text.removesuffix(".0").isdecimal() for text in found):
            detail = f"{len(found)} classes of {file}"
            self.reading.repair("classes", "classes without names are called by their number", detail)

    def _form(self, file: str, table: Table, by_image: Mapping[str, list[tuple[int, Row]]]) -> BoxForm:
        """What the four numbers of the whole table are."""
        evidence = BoxEvidence()
        for number, rows in enumerate(by_image.values()):
            for _, row in rows:
                if evidence.is_enough or table.is_background(row):
                    continue
                try:
                    numbers = table.numbers(row)
                except ValueError:
                    continue
                size = table.declared_size(row) or (self._size(file, table, row) if number < _SEEN_IMAGES else None)
                evidence.see(numbers, size, table.area(row))
        return evidence.judge(self.options.boxes, table.columns.form, named=table.columns.named)

    def _size(self, file: str, table: Table, row: Row) -> Size | None:
        image = self.reading.images.resolve(table.image(row), file).image
        return None if image is None else self.reading.size_of(image)

    def _read_image(
        self,
        file: str,
        image: str,
        rows: list[tuple[int, Row]],
        table: Table,
        form: BoxForm,
        split: str | None,
        numbered: Mapping[int, str],
    ) -> None:
        header = self.reading.header(image)
        if header is None:
            return
        declared = table.declared_size(rows[0][1])
        if declared is None and table.columns.size and any(table.cell(r, table.columns.size[0]) for _, r in rows):
            self.reading.repair(
                image, "unusable image size ignored", table.cell(rows[0][1], table.columns.size[0])[:40]
            )
        labels = [(line, row) for line, row in rows if not table.is_background(row)]
        annotations = []
        for line, row in labels:
            try:
                annotations.append(self._annotation(table, row, form, declared or header.size, numbered))
            except ValueError as error:
                self.reading.drop(f"{image}#{line}", "label cannot be read", str(error)[:100])
        self._names.update(dict.fromkeys(a.category for a in annotations))
        if labels and not annotations:
            self.reading.drop(image, "no usable label", f"all {len(labels)} labels were dropped")
            return
        self.reading.add(image, annotations, header=header, declared=declared, split=split, label_file=file)

    def _annotation(self, table: Table, row: Row, form: BoxForm, size: Size, numbered: Mapping[int, str]) -> Annotation:
        return Annotation(
            self._category(table, row, numbered),
            form.xyxy(table.numbers(row), size),
            iscrowd=table.flag(row, "crowd"),
            attributes={key: 1 for key in ("occluded", "truncated") if table.flag(row, key)},
        )

    def _category(self, table: Table, row: Row, numbered: Mapping[int, str]) -> str:
        if table.columns.name is None:
            return category_name(self.options.category or "object")
        name = table.cell(row, table.columns.name)
        if name in self._coded:
            return category_name(self._coded[name])
        if name not in self._names and name.removesuffix(".0").isdecimal() and len(name) < 9:
            return category_name(numbered.get(int(name.removesuffix(".0")), name.removesuffix(".0")))
        return category_name(name)


def _is_aside(file: str) -> bool:
    return is_readme(file) or is_class_list(file)
