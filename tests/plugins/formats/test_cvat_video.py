"""CVAT for video: which frames a track is on, where it is between keyframes, and which image is which frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders import by_name, read_set, reasons, rules, write_files

from amp_datasets.errors import SourceError
from amp_datasets.model import LabelSet
from amp_datasets.plugin.discovery import load_registry

CVAT = load_registry().source("cvat")
BOX = '<box frame="{}" keyframe="{}" outside="{}" occluded="0" xtl="{}" ytl="2" xbr="{}" ybr="22" z_order="0"{}/>'


def box(frame: int, x: float, keyframe: int = 1, outside: int = 0, more: str = "") -> str:
    """A box 20 pixels wide on a frame."""
    return BOX.format(frame, keyframe, outside, x, x + 20, more)


def video(folder: Path, *tracks: str, meta: str = "<size>6</size>", names: str = "images/frame_{:06d}.PNG") -> Path:
    """A set of six frames, numbered from 0."""
    body = "".join(f'<track id="{n}" label="cat" source="manual">{track}</track>' for n, track in enumerate(tracks))
    head = f"<annotations><version>1.1</version><meta><task>{meta}<mode>interpolation</mode></task></meta>"
    files: dict[str, str | bytes] = {names.format(frame): "" for frame in range(6)}
    return write_files(folder, files | {"annotations.xml": f"{head}{body}</annotations>"})


def lefts(labels: LabelSet) -> dict[int, list[float]]:
    """The left sides of the boxes on each labelled frame, by the digits of its name."""
    return {
        int("".join(c for c in name if c.isdigit())): [round(a.xyxy[0], 6) for a in sample.annotations]
        for name, sample in sorted(by_name(labels).items())
        if sample.labelled
    }


def test_between_keyframes_boxes_move_in_straight_lines(tmp_path: Path) -> None:
    """From frame 1 to 4 by thirds; before its first keyframe and from `outside` on, the object is nowhere."""
    labels = read_set(CVAT, video(tmp_path, box(1, 3) + box(4, 9) + box(5, 9, outside=1)))
    assert lefts(labels) == {0: [], 1: [3], 2: [5], 3: [7], 4: [9], 5: []}
    assert not labels.dropped


def test_until_it_is_outside_an_object_moves_on(tmp_path: Path) -> None:
    """The last keyframe tells where to, as in CVAT; the object is not on that frame itself."""
    labels = read_set(CVAT, video(tmp_path, box(0, 3) + box(3, 9, outside=1)))
    assert lefts(labels) == {0: [3], 1: [5], 2: [7], 3: [], 4: [], 5: []}


def test_frames_that_are_listed_are_read_as_they_are(tmp_path: Path) -> None:
    """CVAT lists every frame, and rounds to two decimals; nothing goes on after the last one then."""
    labels = read_set(CVAT, video(tmp_path, box(0, 1) + box(1, 2.33, keyframe=0) + box(2, 4) + box(3, 4, keyframe=0)))
    assert lefts(labels) == {0: [1], 1: [2.33], 2: [4], 3: [4], 4: [], 5: []}


def test_keyframes_alone_go_on_to_the_end(tmp_path: Path) -> None:
    """A track without an end stays until the last frame of the task, as CVAT reads it."""
    labels = read_set(CVAT, video(tmp_path, box(0, 1) + box(2, 5)))
    assert lefts(labels) == {0: [1], 1: [3], 2: [5], 3: [5], 4: [5], 5: [5]}


def test_a_single_shape_before_the_last_frame_does_not_go_on(tmp_path: Path) -> None:
    """CVAT leaves out the end of a shape that is on the last frame but one."""
    assert lefts(read_set(CVAT, video(tmp_path, box(4, 5))))[5] == []


def test_boxes_turn_the_shorter_way(tmp_path: Path) -> None:
    """Half way from 350 to 10 degrees is upright."""
    turned = box(0, 10, more=' rotation="350"') + box(2, 10, more=' rotation="10"') + box(3, 1, outside=1)
    found = by_name(read_set(CVAT, video(tmp_path, turned)))
    assert found["frame_000001.PNG"].annotations[0].corners is None
    assert found["frame_000001.PNG"].annotations[0].xyxy == (10, 2, 30, 22)
    assert found["frame_000000.PNG"].annotations[0].corners is not None


def test_polygons_are_matched_by_their_share_of_the_outline(tmp_path: Path) -> None:
    """These numbers came out of CVAT's own TrackManager, which agrees with ours on 3,000 random pairs."""
    shape = '<polygon frame="{}" keyframe="1" outside="0" occluded="0" points="{}"/>'
    track = shape.format(0, "10,10;50,10;50,40;10,40") + shape.format(4, "20,12;40,12;60,30;40,47;20,45")
    found = by_name(read_set(CVAT, video(tmp_path, track)))["frame_000001.PNG"].annotations[0].polygons[0].exterior
    np.testing.assert_allclose(found, EXPECTED, atol=1e-9)


def test_a_shape_that_cannot_be_read_leaves_the_rest_of_its_track(tmp_path: Path) -> None:
    """Nothing is made up on the way to it, and no image there is taken for an empty one."""
    shape = '<polygon frame="{}" keyframe="1" outside="0" occluded="0" points="{}"/>'
    labels = read_set(CVAT, video(tmp_path, shape.format(0, "1,1;9,1;9,9") + shape.format(2, "") + box(4, 5)))
    assert lefts(labels) == {0: [1], 4: [5], 5: [5]}
    assert reasons(labels) == {"label cannot be read", "no usable label"}


EXPECTED = [(12.5, 10.5), (47.5, 10.5), (52.5, 15.0), (47.5, 41.75), (12.5, 41.25)]


def test_keypoints_of_a_skeleton_move_one_by_one(tmp_path: Path) -> None:
    """One that is outside stays so until its keyframe; one that goes outside moves on until then."""
    part = '<points label="{}" keyframe="1" outside="{}" occluded="0" points="{},10"/>'
    frame = '<skeleton frame="{}" keyframe="1">{}</skeleton>'
    track = frame.format(
        0, part.format("a", 0, 10) + part.format("b", 1, 10) + part.format("c", 0, 1).replace("10", "1")
    )
    track += frame.format(
        2, part.format("a", 0, 20) + part.format("b", 0, 30) + part.format("c", 0, 5).replace("10", "5")
    )
    track += frame.format(3, part.format("a", 1, 20))
    labels = read_set(CVAT, video(tmp_path, track))
    keypoints = by_name(labels)["frame_000001.PNG"].annotations[0].keypoints
    np.testing.assert_array_equal(keypoints, [(15, 10, 2), (0, 0, 0), (3, 3, 2)])
    assert not by_name(labels)["frame_000003.PNG"].annotations


def test_masks_are_on_the_frames_that_list_them(tmp_path: Path) -> None:
    """There is no way between two masks."""
    mask = '<mask frame="{}" keyframe="1" outside="{}" occluded="0" rle="0, 9" left="2" top="2" width="3" height="3"/>'
    assert lefts(read_set(CVAT, video(tmp_path, mask.format(1, 0) + mask.format(3, 1)))) == {
        frame: [2] if frame == 1 else [] for frame in range(6)
    }


def test_frames_of_a_task_that_skips_some_keep_their_numbers(tmp_path: Path) -> None:
    """`frame` counts the frames of the video: those that the task has not are no images of it."""
    meta = "<size>2</size><start_frame>1</start_frame><stop_frame>4</stop_frame><frame_filter>step=3</frame_filter>"
    labels = read_set(CVAT, video(tmp_path, box(1, 3) + box(4, 9), meta=meta))
    assert lefts(labels)[1] == [3]
    assert lefts(labels)[4] == [9]
    assert not by_name(labels)["frame_000000.PNG"].labelled
    assert not by_name(labels)["frame_000005.PNG"].labelled


def test_a_frame_without_an_image_is_missing(tmp_path: Path) -> None:
    """Its labels are counted, and lie on no other image."""
    labels = read_set(CVAT, video(tmp_path, box(1, 3) + box(9, 3), meta="<size>12</size>"))
    assert "image is missing" in reasons(labels)
    assert [item.id for item in labels.dropped] == ["annotations.xml: frame 9"]


def test_other_names_are_read_by_their_number_and_said(tmp_path: Path) -> None:
    """Not CVAT's names: whether they count from 0 is for people to check."""
    labels = read_set(CVAT, video(tmp_path, box(1, 3) + box(2, 3, outside=1), names="clip-{:03d}.jpg"))
    assert lefts(labels)[1] == [3]
    assert rules(labels) == {"frames found by the numbers in the images' names"}


def test_images_counted_from_one_are_refused_until_told(tmp_path: Path) -> None:
    """ffmpeg's numbers begin with 1: every label would lie one frame too early."""
    folder = video(tmp_path, box(0, 3) + box(1, 3, outside=1))
    for frame in range(6):
        (folder / f"images/frame_{frame:06d}.PNG").rename(folder / f"images/out{frame + 1:03d}.png")
    with pytest.raises(SourceError, match="numbers 1 to 6, the frames 0 to 5"):
        read_set(CVAT, folder)
    assert lefts(read_set(CVAT, folder, first_image=1))[1] == [3]
    assert lefts(read_set(CVAT, folder, frames="order"))[1] == [3]


def test_every_nth_frame_is_read_if_asked(tmp_path: Path) -> None:
    """The others are set aside and counted, not shown as never labelled."""
    labels = read_set(CVAT, video(tmp_path, box(0, 1) + box(4, 5)), every=2)
    assert lefts(labels) == {0: [1], 2: [3], 4: [5]}
    assert reasons(labels) == {"frame is not wanted"}


def test_several_videos_in_one_file_are_refused(tmp_path: Path) -> None:
    """Their frames have the same numbers."""
    folder = video(tmp_path, box(0, 1), box(0, 1))
    text = (
        (folder / "annotations.xml")
        .read_text()
        .replace('id="0"', 'id="0" task_id="1"')
        .replace('id="1"', 'task_id="2"')
    )
    (folder / "annotations.xml").write_text(text)
    with pytest.raises(SourceError, match="several videos"):
        read_set(CVAT, folder)


def test_two_videos_in_two_folders_have_their_own_frames_and_never_part(tmp_path: Path) -> None:
    """Each XML means the frames beside it; frames of one video stay in one split."""
    video(tmp_path / "one", box(0, 1) + box(1, 1, outside=1))
    video(tmp_path / "two", box(0, 7) + box(1, 7, outside=1))
    labels = read_set(CVAT, tmp_path)
    assert {s.source_id: s.annotations[0].xyxy[0] for s in labels.samples if s.annotations} == {
        "one/images/frame_000000.PNG": 1.0,
        "two/images/frame_000000.PNG": 7.0,
    }
    assert len({sample.group for sample in labels.samples}) == 2
