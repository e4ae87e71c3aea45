"""Label files that no exporter writes, for readers whose formats have more forms: they join a small set's own files."""

from __future__ import annotations

import json
from typing import Any

_SHAPES = (
    '<ellipse label="a" cx="30" cy="20" rx="9" ry="5" rotation="30"/><polyline label="a" points="1,1;9,9"/>'
    '<mask label="a" rle="1, 2, 1" left="3" top="4" width="2" height="2"/><tag label="b"/>'
    '<skeleton label="a" group_id="1"><points label="p" outside="0" occluded="1" points="3,4"/></skeleton>'
)
_TRACKS = (
    '<track id="0" label="a"><polygon frame="1" keyframe="1" outside="0" points="1,1;30,1;30,30"/>'
    '<polygon frame="3" keyframe="1" outside="1" points="2,1;30,1;30,30;9,40"/></track>'
    '<track id="1" label="a"><box frame="1" keyframe="1" outside="0" xtl="1" ytl="1" xbr="9" ybr="9" rotation="9"/>'
    '<box frame="2" keyframe="0" outside="0" xtl="1" ytl="1" xbr="9" ybr="9"/></track>'
)
_LABELS = "<labels><label><name>a</name></label><label><name>p</name><parent>a</parent></label></labels>"
_META = f"<meta><task><size>3</size>{_LABELS}</task></meta>"
_PLACE = {"x": 10, "y": 10, "width": 40, "height": 30, "rotation": 20}
_BRUSH = [0, 0, 0, 80, 57, 27, 254, 23, 0, 183, 255, 108, 2, 63, 252, 54, 0]
_IMAGE = "demo_001.jpg"


def _studio(kind: str, value: dict[str, Any], **more: Any) -> dict[str, Any]:
    size = {"original_width": 64, "original_height": 48, "image_rotation": 0}
    return {"id": kind, "type": kind, "from_name": "c", "value": {**value, kind: ["a"]}, **size, **more}


_STUDIO = [
    _studio("rectanglelabels", _PLACE, id="p"),
    _studio("ellipselabels", {"x": 50, "y": 50, "radiusX": 9, "radiusY": 9}),
    _studio("brushlabels", {"format": "rle", "rle": _BRUSH}, original_width=5, original_height=4),
    _studio("keypointlabels", {"x": 5, "y": 5}, parentID="p"),
    {"type": "choices", "value": {"choices": ["b"]}},
]
_VIA3 = {
    "project": {"vid_list": ["1"]},
    "config": {},
    "attribute": {"1": {"aname": "class", "options": {"K": "sky"}}},
    "file": {"1": {"fid": 1, "fname": _IMAGE}},
    "metadata": {"m": {"vid": "1", "z": [], "xy": [4, 20, 20, 9, 5], "av": {"1": "K"}}},
    "view": {"1": {"fid_list": [1]}},
}
_VIA_CSV = (
    "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes\n"
    + _IMAGE
    + ',1,"{}",1,0,"{""name"":""circle"",""cx"":9,""cy"":9,""r"":5}","{""class"":""a""}"\n'
)
_DATUMARO = [
    {"type": "mask", "label_id": 0, "rle": {"counts": "00", "size": [48, 64]}},
    {"type": "ellipse", "label_id": 0, "points": [1, 1, 9, 9]},
    {"type": "skeleton", "label_id": 0, "elements": [{"type": "points", "label_id": 1, "points": [3, 4]}]},
    {"type": "rotated_bbox", "label_id": 0, "points": [20, 20, 9, 5, 30]},
]
_PART = {"exterior": [[1, 1], [9, 1], [9, 9]], "interior": []}
_SUPERVISELY = [
    {"classTitle": "a", "geometryType": "bitmap", "bitmap": {"origin": [1, 1], "data": "eJzrDPBz5+WS4mJgYOD19A=="}},
    {"classTitle": "a", "geometryType": "graph", "nodes": {"x": {"loc": [3, 4]}}},
    {
        "classTitle": "a",
        "geometryType": "multipolygon",
        "parts": [{"exterior": [[1, 1], [9, 1], [9, 9]], "interior": []}],
    },
]

SEEDS: dict[str, dict[str, str]] = {
    "cvat": {
        "shapes.xml": f'<annotations>{_META}<image name="{_IMAGE}" width="64" height="48">{_SHAPES}</image>'
        "</annotations>",
        "video.xml": f"<annotations>{_META}{_TRACKS}</annotations>",
    },
    "labelstudio": {
        "tasks.json": json.dumps([{"data": {"image": _IMAGE}, "annotations": [{"result": _STUDIO}]}]),
        "minimal.json": json.dumps(
            [{"image": _IMAGE, "c": [{**_PLACE, "rectanglelabels": ["a"]}], "annotation_id": 1, "annotator": 1}]
        ),
    },
    "via": {"version3.json": json.dumps(_VIA3), "version2.csv": _VIA_CSV},
    "datumaro": {
        "annotations/more.json": json.dumps(
            {
                "categories": {"label": {"labels": [{"name": "a", "parent": ""}, {"name": "p", "parent": "a"}]}},
                "items": [{"id": "demo_001", "image": {"path": _IMAGE}, "annotations": _DATUMARO}],
            }
        )
    },
    "supervisely": {
        "train/ann/more.json": json.dumps({"size": {"width": 64, "height": 48}, "tags": [], "objects": _SUPERVISELY})
    },
}
"""By format, the files by their path in the set."""
