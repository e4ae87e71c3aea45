"""The class of each region of a set of masks, settled once all numbers that occur in it are known."""

from __future__ import annotations

from collections import Counter

from amp_datasets.formats.kit.reading import Reading, category_name

from .classes import VOC, VOC_VOID_COLOUR, MaskClasses, nearest, voc_colours
from .coded import IGNORED, class_of_kitti, factor_of
from .pairs import MaskFile
from .regions import Region

VOID = 255
"""The number of pixels of which nobody says what they are, where a mask has others."""

Found = dict[str, list[tuple[MaskFile, list[Region]]]]
"""The masks of each image, with their regions."""


class MaskNames:
    """The class of each region of a set, settled once all numbers that occur are known."""

    def __init__(self, lists: list[MaskClasses], found: Found, category: str, *, is_chosen: bool) -> None:
        self._lists = lists
        self._category = category
        self._is_chosen = is_chosen
        self._used: dict[str, None] = {}
        self._numbers: Counter[int] = Counter()
        self.noted: Counter[str] = Counter()
        several = (each for masks in found.values() for each in masks if each[0].kind == "objects")
        every = [region for _, regions in several for region in regions]
        self._factor = 0 if any(r.is_colour or r.colour for r in every) else factor_of(region.value for region in every)
        voc = False
        colours: set[int] = set()
        for mask, regions in (each for masks in found.values() for each in masks if each[0].kind == "classes"):
            voc = voc or "SegmentationClass" in mask.name
            self._numbers.update(region.value for region in regions if not region.is_colour)
            colours.update(region.value for region in regions if region.is_colour)
        self._values = sorted(value for value in self._numbers if value != VOID) or [VOID]
        self._is_voc = voc and not lists and self._values[-1] <= len(VOC)
        known = voc_colours() | {VOC_VOID_COLOUR: ""}
        self._by_colour = known if voc and not lists and known.keys() >= colours else {}

    def of(self, mask: MaskFile, region: Region, reading: Reading) -> str:
        """The class of a region; empty for what is none: background, void, or what no list names (counted)."""
        try:
            name = self._name(mask, region)
        except ValueError as error:
            reading.drop(f"{mask.name}: {region.said}", "class name is not usable", str(error))
            return ""
        if name is None:
            reading.drop(f"{mask.name}: {region.said}", "number of a mask is no class")
        elif name:
            self._used[name] = None
        return name or ""

    def of_object(self, mask: MaskFile, region: Region) -> str:
        """The class of an object that no mask of classes names; counted where nobody has said what it is.

        Empty for what MOTS ignores.
        """
        name = self._coded(mask, region.value) if self._factor and not self._is_chosen else None
        if name is not None:
            return name
        self._used[self._category] = None
        return self._one_class()

    def _one_class(self) -> str:
        """The class of what nobody has named; counted, unless it was chosen."""
        if not self._is_chosen:
            self.noted["labels without a category read as one class"] += 1
        return self._category

    def _coded(self, mask: MaskFile, value: int) -> str | None:
        """The class that is a part of an object's number; None where neither a list nor KITTI's layout names it."""
        if value == IGNORED:
            self.noted["pixels marked as void left out"] += 1
            return ""
        number, known = value // self._factor, nearest(self._lists, mask.name)
        name = known.by_value.get(number) if known is not None else None
        name = class_of_kitti(number, mask.image or "", self._factor) if known is None else name
        if name is not None:
            self._used[name] = None
        return name

    def ordered(self) -> list[str]:
        """All classes: those of lists in their order, then the others."""
        listed = [name for each in self._lists for name in each.names]
        known = listed if {*self._used} & {*listed} else []
        return list(dict.fromkeys([*known, *sorted(self._used)]))

    def _name(self, mask: MaskFile, region: Region) -> str | None:
        if mask.category is not None or mask.kind == "each":
            return category_name(mask.category) if mask.category else self._one_class()
        known = nearest(self._lists, mask.name)
        if known is not None and (known.by_colour or not region.is_colour):
            return self._listed(known, region)
        if region.is_colour and region.value in self._by_colour:
            if region.value == VOC_VOID_COLOUR:
                self.noted["pixels marked as void left out"] += 1
            return self._by_colour[region.value]
        if region.is_colour:
            self.noted["classes without names are called by their number"] += 1
            return f"colour_{region.value:06x}"
        if region.value == VOID and self._values != [VOID]:
            self.noted["pixels marked as void left out"] += 1
            return ""
        if self._is_voc and region.value <= len(VOC):
            return VOC[region.value - 1]
        if len(self._values) == 1:
            return self._one_class()
        self.noted["classes without names are called by their number"] += 1
        return f"class_{region.value}"

    def _listed(self, known: MaskClasses, region: Region) -> str | None:
        colour = region.value if region.is_colour else region.colour
        if known.by_colour and colour in known.by_colour:
            return known.by_colour[colour]
        if not region.is_colour and region.value in known.by_value:
            if known.counted:
                self.noted["numbers of masks counted from a list without background"] += 1
            return known.by_value[region.value]
        if region.value == VOID and not region.is_colour:
            if len(known.names) == 1 and self._values == [VOID]:
                return known.names[0]
            self.noted["pixels marked as void left out"] += 1
            return ""
        return None
