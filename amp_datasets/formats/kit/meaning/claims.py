"""Which label files speak of which image, and what is left of it where several do."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from amp_datasets.formats.kit.meaning.agreement import CONTRADICTION, LISTED_TWICE, Said, not_meant, said_by_both
from amp_datasets.formats.kit.meaning.folder_words import split_of
from amp_datasets.formats.kit.meaning.resolver import MISSING
from amp_datasets.formats.kit.report import Report
from amp_datasets.model import Sample


class Claims:
    """The images of a reading as the label files say, one after the other; losses and repairs go to the report."""

    def __init__(self, report: Report) -> None:
        self.samples: dict[str, Sample] = {}
        self._report = report
        self._said: dict[str, Said] = {}
        self._loose: dict[tuple[str, str], str] = {}

    def name_loosely(self, label_file: str, image: str, reference: str) -> None:
        """Remember how an image was named by a folder that is not there; two such names are of two images."""
        known = self._loose.setdefault((label_file, image), reference)
        if known != reference:
            self._loose[label_file, image] = f"{known} and {reference}"

    def loose(self) -> frozenset[str]:
        """The images that are only named by folders that are not there."""
        return frozenset(image for image, said in self._said.items() if said.loosely)

    def take(self, sample: Sample, label_file: str, known: Collection[str] | None) -> None:
        """An image with its cleaned labels, as a file says that knows certain classes (None: those that it uses)."""
        image = sample.source_id
        said = Said(label_file, known, sample.split, self._loose.get((label_file, image), ""))
        first = self._said.get(image)
        if first is None:
            self._said[image], self.samples[image] = said, sample
            return
        strays = not_meant(split_of(image), first, said)
        for stray in strays:
            self._report.drop(stray.loosely or image, MISSING, f"named in {stray.file}; {image} is named by others")
        if not strays:
            self._join(sample, first, said)
        elif strays == [first]:
            self._said[image], self.samples[image] = said, sample
        elif len(strays) > 1:
            self.samples.pop(image, None)
            self._report.drop(image, LISTED_TWICE, "by folders that are not there")

    def _join(self, new: Sample, first: Said, said: Said) -> None:
        """What another label file says of an image that is known, or the same one a second time."""
        image, old = new.source_id, self.samples.get(new.source_id)
        if old is None or not new.labelled:
            return
        labels = said_by_both(old.annotations, new.annotations, first, said) if old.labelled else [*new.annotations]
        files = " and ".join(dict.fromkeys(filter(None, (first.file, said.file))))
        twice = first.file == said.file
        if labels is None:
            del self.samples[image]
            self._report.drop(image, LISTED_TWICE if twice else CONTRADICTION, files)
            return
        if new.split is not None and old.split != new.split:
            self._report.repair(image, "image is in two splits, the first is kept", files)
        self._report.repair(image, "image is listed twice" if twice else "labels of several files joined", files)
        whole = tuple(dict.fromkeys((*old.labels, *new.labels)))
        tags = old.tags | new.tags
        self.samples[image] = replace(old, annotations=tuple(labels), labelled=True, labels=whole, tags=tags)
        self._said[image] = Said(
            files, first.classes(old.annotations) | said.classes(new.annotations), old.split, first.loosely
        )
