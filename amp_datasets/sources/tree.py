"""Reads a tree that may hold several sets in several formats: each format reads its own files, and all become one set.

The surest format reads first and says which files it used; the others look at what is left. An image that two formats
label keeps the labels of both (see `formats.kit.meaning.agreement`); what nobody read is reported by `unread`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from amp_datasets.errors import SourceError, blaming, is_shipped, must_be
from amp_datasets.formats.base import Detection, Options, Source
from amp_datasets.formats.contract import check_labels
from amp_datasets.formats.kit.image_lookup import CONVERT, UNDECODED, ImageLookup
from amp_datasets.formats.kit.meaning.agreement import BACKGROUND, CONTRADICTION, LISTED_TWICE, joined
from amp_datasets.formats.kit.meaning.resolver import MISSING
from amp_datasets.formats.kit.reading import Reading
from amp_datasets.formats.kit.report import UNUSED_CLASS
from amp_datasets.images.codec import Limits
from amp_datasets.model import Category, Dropped, LabelSet, Repair, Sample
from amp_datasets.plugin.registry import Registry
from amp_datasets.sources.unread import UNREAD, Unread, closed_archives, foreign_tool, may_hold_labels, unread_files
from amp_datasets.storage.folder import Folder

MASKS_BESIDE = "masks beside other labels not read"
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Part:
    """What one format found in a tree."""

    format: str
    detection: Detection
    labels: LabelSet
    used: tuple[str, ...]
    lists: tuple[str, ...] = ()
    left_out: frozenset[str] = frozenset()
    loose: frozenset[str] = frozenset()
    contested: Mapping[str, str] = field(default_factory=dict)
    """Images that label files may mean which name several, and the file of each."""

    def where(self) -> str:
        """The format, why, and the folders of its label files."""
        folders = list(dict.fromkeys(file.rpartition("/")[0] or "." for file in self.used))
        shown = ", ".join(folders[:_SHOWN]) + (", ..." if len(folders) > _SHOWN else "")
        number = f" ({len(self.used)} files in {len(folders)} folders: {shown})" if self.used else ""
        return f"{self.format}: {self.detection.reason}{number}"


def read_parts(
    folder: Folder, registry: Registry, given: str | None, options: Mapping[str, Any], limits: Limits
) -> list[Part]:
    """The set of each format that is found in a tree, the surest first; only the one that is `given`, if it is."""
    parts: list[Part] = []
    left, done = folder, set[str]()
    while True:
        found = (given, Detection("given", 100)) if given else detected(left, registry, done)
        if found is None or (parts and found[1].by_images):  # nothing beside label files
            break
        name, detection = found
        plugin = registry.source(name)
        reading = Reading(left, limits, alone=False)
        labels = _read(plugin, left, _options(plugin, options, folder), reading)
        lists, left_out = tuple(reading.lists), frozenset(reading.left_out)
        used = tuple(reading.used)
        parts.append(Part(name, detection, labels, used, lists, left_out, reading.loose, reading.contested))
        done.add(name)
        if given is not None or not reading.used:
            break
        left = left.only(file for file in left.files if file not in reading.used)
        if not may_hold_labels(left, reading.lists):
            break
    if given is None and parts and not any(part.contested for part in parts):  # masks may be what files named
        parts += _masks_beside(left, parts, registry, options, limits)
    _check_options(parts, registry, options, folder)
    return parts


def _masks_beside(
    folder: Folder, parts: Sequence[Part], registry: Registry, options: Mapping[str, Any], limits: Limits
) -> list[Part]:
    """The images that only masks label, in a tree where other formats label the rest.

    A mask of an image that has labels already shows the same objects once more: it is counted, and not read.
    """
    taken = {image for part in parts for image in part.left_out}
    left = folder.only(file for file in folder.files if file not in taken)
    known = {sample.source_id for part in parts for sample in part.labels.samples if sample.labelled}
    known |= {item.id for part in parts for item in part.labels.dropped}
    found = []
    for name, plugin in sorted(registry.sources.items()):
        if not plugin.labels_are_images or name in {part.format for part in parts}:
            continue
        if (detection := _detect(plugin, left)) is None:
            continue
        reading = Reading(left, limits, alone=False)
        labels = _read(plugin, left, _options(plugin, options, folder), reading)
        if reading.left_out & known:  # images with labels of their own are no masks
            continue
        new = tuple(sample for sample in labels.samples if sample.source_id not in known)
        shown = [sample.source_id for sample in labels.samples if sample.source_id in known]
        repairs = labels.repairs if new else ()
        if shown:
            repairs += (Repair(name, MASKS_BESIDE, f"{len(shown)} images, such as {shown[0]}"),)
        dropped = tuple(item for item in labels.dropped if item.id not in known) if new else ()
        used = {label.category for sample in new for label in sample.annotations}
        categories = tuple(category for category in labels.categories if category.name in used)
        kept = replace(labels, samples=new, repairs=repairs, dropped=dropped, categories=categories)
        lists, left_out = tuple(reading.lists), frozenset(reading.left_out)
        found.append(Part(name, detection, kept, tuple(reading.used), lists, left_out, reading.loose))
    return found


def detected(folder: Folder, registry: Registry, done: Iterable[str] = ()) -> tuple[str, Detection] | None:
    """The format that is surest of a folder, other than those that are done; None if there is none."""
    sure: list[tuple[int, str, Detection]] = []
    for last in (False, True):
        plugins = (
            (n, plugin) for n, plugin in sorted(registry.sources.items()) if plugin.last is last and n not in done
        )
        found = ((name, _detect(plugin, folder)) for name, plugin in plugins)
        sure = sorted(((d.certainty, name, d) for name, d in found if d is not None), key=lambda f: (-f[0], f[1]))
        if sure:
            break
    if not sure:
        return None
    first, *others = sure
    if others and others[0][0] == first[0] and (not first[2].file or others[0][2].file in ("", first[2].file)):
        raise SourceError(
            f"this may be {first[1]} ({first[2].reason}) or {others[0][1]} ({others[0][2].reason})",
            where=folder.root,
            fix="give the one that is meant with `format:` (or --format)",
        )
    return first[1], first[2]


def _detect(plugin: type[Source[Any]], folder: Folder) -> Detection | None:
    with blaming("source format", plugin):
        found: Any = plugin.detect(folder)
        return None if found is None else must_be(Detection, found)


def _read(plugin: type[Source[Any]], folder: Folder, options: Options, reading: Reading) -> LabelSet:
    with blaming("source format", plugin):
        labels = must_be(LabelSet, plugin(folder, options, reading).read())
        return labels if is_shipped(plugin) else check_labels(labels)


def one_set(folder: Folder, parts: Sequence[Part], limits: Limits) -> LabelSet:
    """All parts as one set, with the images that none of them names, and the label files that none of them read."""
    images = ImageLookup(folder)
    used = {file for part in parts for file in (*part.used, *part.lists)}
    left = list(unread_files(folder, used, images)) if all(part.used for part in parts) else []
    joint = _joined(parts)
    rest = Reading(folder, limits, alone=False)
    rest.dropped.clear()
    gone = {item.id for item in joint.dropped} | {sample.source_id for sample in joint.samples if sample.labelled}
    gone.update(images.companions(), *(part.left_out for part in parts))
    splits = {sample.source_id: sample.split for sample in joint.samples}
    contested = {image: file for part in parts for image, file in part.contested.items()}
    for archive in closed_archives(folder):
        rest.drop(archive, UNREAD, "an archive beside loose images: unpack it, or give it as a set of its own")
    said = "\n".join(item.detail for item in joint.dropped if item.reason == UNDECODED)
    for image in (name for name in images.undecoded if f"{name} is there" not in said):
        rest.drop(image, UNDECODED, CONVERT)
    _add_rest(rest, [name for name in images.names if name not in gone], splits, left, contested)
    found = rest.finish(())
    samples = [sample for sample in joint.samples if sample.labelled or sample.source_id not in images]
    ordered = tuple(sorted([*samples, *found.samples], key=lambda sample: sample.source_id))
    return replace(joint, samples=ordered, dropped=joint.dropped + found.dropped)


def _add_rest(
    rest: Reading,
    names: Iterable[str],
    splits: Mapping[str, str | None],
    left: Sequence[Unread],
    contested: Mapping[str, str],
) -> None:
    """Images without a label: never labelled, unless a file is left that may be theirs."""
    for each in left:
        rest.drop(each.file, UNREAD, "; ".join(filter(None, (each.what, foreign_tool(rest.folder, each.file)))))
    owner = {image: each.file for each in left for image in each.images}
    owner.update((image, f"{file}, which may mean others too") for image, file in contested.items())
    lists = [each.file for each in left if not each.images]
    for name in names:
        if name in owner or lists:
            rest.drop(name, "its label file is not read", owner.get(name) or lists[0])
        else:
            rest.add(name, (), labelled=False, split=splits.get(name) or rest.splits.of(name))


def _joined(parts: Sequence[Part]) -> LabelSet:
    """The parts as one set: categories by name, in the order of the parts."""
    if len(parts) == 1:
        return parts[0].labels
    samples: dict[str, Sample] = {}
    formats: dict[str, str] = {}
    classes: dict[str, frozenset[str]] = {}
    dropped = [item for part in parts for item in part.labels.dropped]
    repairs = [item for part in parts for item in part.labels.repairs]
    loosely = set[str]()
    torn = {item.id for item in dropped if item.reason in (CONTRADICTION, LISTED_TWICE)}
    for part in parts:
        own = frozenset(category.name for category in part.labels.categories)
        for sample in part.labels.samples:
            known = samples.get(sample.source_id)
            if sample.source_id in torn:
                continue
            loose = sample.source_id in part.loose
            if known is not None and loose != (sample.source_id in loosely):
                stray = part.format if loose else formats[sample.source_id]
                detail = f"that of a {stray} file: this one is named by files of another format"
                dropped.append(Dropped(sample.source_id, MISSING, detail))
                if loose:
                    continue
                known = None
            loosely.update([sample.source_id] if loose else [])
            if known is None:
                samples[sample.source_id], formats[sample.source_id] = sample, part.format
                classes[sample.source_id] = own
            else:
                both = f"{formats[sample.source_id]} and {part.format}"
                joint = _both(known, sample, classes[sample.source_id], own, surely=not loose)
                classes[sample.source_id] |= own
                if joint is None:
                    del samples[sample.source_id]
                    torn.add(sample.source_id)
                    dropped.append(Dropped(sample.source_id, CONTRADICTION, both))
                else:
                    samples[sample.source_id] = joint
                    if known.labelled and sample.labelled:
                        repairs.append(Repair(sample.source_id, "labels of several files joined", both))
    lost = (tuple(dict.fromkeys(dropped)), tuple(dict.fromkeys(_still_true(repairs, samples))))
    return LabelSet(_categories(parts), tuple(samples[name] for name in sorted(samples)), *lost, parts[0].labels.name)


def _categories(parts: Sequence[Part]) -> tuple[Category, ...]:
    """The classes of all parts in the order of the parts, each as the first one has it."""
    every = [category for part in parts for category in part.labels.categories]
    first = {category.name: category for category in reversed(every)}
    return tuple(first[name] for name in dict.fromkeys(category.name for category in every))


def _still_true(repairs: Iterable[Repair], samples: Mapping[str, Sample]) -> list[Repair]:
    """The notes of the parts, less those of images and classes that another part has labels for."""
    filled = {name for name, sample in samples.items() if sample.annotations}
    classes = {label.category for sample in samples.values() for label in sample.annotations}
    gone = {(BACKGROUND, name) for name in filled} | {(UNUSED_CLASS, name) for name in classes}
    return [r for r in repairs if (r.rule, r.detail if r.rule == UNUSED_CLASS else r.id) not in gone]


def _both(
    one: Sample, other: Sample, known: frozenset[str], others_known: frozenset[str], *, surely: bool
) -> Sample | None:
    """An image as two formats label it, which know certain classes; None where they contradict each other.

    Where neither is sure that it means this image, they must say the same.
    """
    if not (one.labelled and other.labelled):
        return one if one.labelled else other
    labels = joined(one.annotations, other.annotations, known, others_known)
    if labels is None or not (surely or len(labels) == len(one.annotations) == len(other.annotations)):
        return None
    whole = tuple(dict.fromkeys((*one.labels, *other.labels)))
    split, group = one.split or other.split, one.group or other.group
    return replace(one, annotations=tuple(labels), labels=whole, split=split, group=group)


def _options(plugin: Any, options: Mapping[str, Any], folder: Folder) -> Options:
    """The options that a format has, of those that are given."""
    own = {key: value for key, value in options.items() if key in plugin.options_type.model_fields}
    try:
        checked: Options = plugin.options_type.model_validate(own)
    except ValidationError as error:
        problem = error.errors()[0]
        known = ", ".join(plugin.options_type.model_fields) or "none"
        raise SourceError(
            f"the option `{'.'.join(map(str, problem['loc']))}` of {plugin.name}: {problem['msg']}",
            where=folder.root,
            fix=f"its options are: {known}",
        ) from error
    return checked


def _check_options(parts: Sequence[Part], registry: Registry, options: Mapping[str, Any], folder: Folder) -> None:
    """An option that none of the formats has is an error."""
    known = {part.format: list(registry.source(part.format).options_type.model_fields) for part in parts}
    for key in options:
        if known and not any(key in fields for fields in known.values()):
            listed = "; ".join(f"{name}: {', '.join(fields) or 'none'}" for name, fields in known.items())
            raise SourceError(
                f"`{key}` is not an option of {' or '.join(known)}", where=folder.root, fix=f"the options are: {listed}"
            )
