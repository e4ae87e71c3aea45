"""The laws of a filter that joins images: what it draws is JSON, and places follow from it alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import albumentations as A  # noqa: N812 - the library's own convention
import numpy as np

from amp_datasets.errors import CannotApply
from amp_datasets.filtering.joining import Scene
from amp_datasets.testing.law import must, must_equal
from amp_datasets.testing.making import compose, make
from amp_datasets.testing.scenes import BOXES, make_image


def draws_json_and_places_by_it(plugin: type[Any], example: dict[str, Any]) -> None:
    """The same generators give the same draw, a recorded draw the same placements, and settings survive as JSON."""
    sizes = [(120, 90), (60, 200), (300, 100), (90, 90)]
    scenes = [Scene(size, BOXES / 4 + 1, np.array([True, True])) for size in sizes[: plugin(**example).partners + 1]]
    first, second = make(plugin, example), make(plugin, example)
    choice = first.draw_for(scenes)
    must(choice == second.draw_for(scenes), "the same generators give another draw")
    size, placements = first.place([scene.size for scene in scenes], **json.loads(json.dumps(choice)))
    again, others = make(plugin, example, seed=99).place([scene.size for scene in scenes], **choice)
    must(size == again == sizes[0], "the new image has not the size of the source")
    must({p.image for p in placements} == set(range(len(scenes))), "an image is placed nowhere")
    for one, other in zip(placements, others, strict=True):
        must_equal(
            one.warp(BOXES[:, :2].copy()), other.warp(BOXES[:, :2].copy()), "placements depend on more than the draw"
        )
        must(one.warp.size == size, "a placement's map leads to another size")
        must(one.window == other.window, "windows depend on more than the draw")
    saved = json.loads(json.dumps(A.to_dict(first)))
    must(json.loads(json.dumps(A.to_dict(A.from_dict(saved)))) == saved, "settings do not survive as JSON")


def refuses_a_plain_compose(plugin: type[Any], example: dict[str, Any]) -> None:
    """There are no other images, and the message says where there are."""
    try:
        compose(make(plugin, example))(image=make_image(), bboxes=BOXES, ids=[1, 2])
    except CannotApply as error:
        must("needs other images" in str(error) and error.fix, f"the refusal does not say what to do: {error}")
        return
    must(False, "it works without other images")


JOINING_LAWS: tuple[Callable[[type[Any], dict[str, Any]], None], ...] = (
    draws_json_and_places_by_it,
    refuses_a_plain_compose,
)
