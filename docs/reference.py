"""Writes the reference: every filter, format, key of the manifest and rule, as the program itself knows them.

`python docs/reference.py` writes `docs/reference/*.md` and `docs/llms.txt`; a test holds them against the program.
The strips with images are drawn by `docs/strips.py`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from amp_datasets.audit.rules import RULES
from amp_datasets.filtering.base import Filter
from amp_datasets.manifest.json_schema import manifest_schema
from amp_datasets.plugin.catalogue import FilterDescription, describe_filter, type_text
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.plugin.registry import Registry

FOLDER = Path(__file__).parent
NOTE = "<!-- Written by docs/reference.py: change the program's own texts, not this page. -->"
MOVES = {
    "pixels": "Labels stay where they are: no pixel changes its place.",
    "geometry": "Labels move with the pixels; what leaves the image is cut, what is hardly seen is left out.",
    "hides": "Labels stay; those of which too little stays visible are left out or cut.",
    "joins": "Labels of several images come together; what one covers of another is cut.",
}
_KEYS_FIRST = ("sources", "classes", "splits", "preprocess", "filters", "mixes", "labels", "encode", "exports")


def main() -> None:
    """Write every page."""
    for name, text in pages(load_registry()).items():
        path = FOLDER / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path)


def pages(registry: Registry) -> dict[str, str]:
    """The text of each page by its path below `docs`."""
    written = {
        "reference/filters.md": filters_page(registry),
        "reference/formats.md": formats_page(registry),
        "reference/manifest.md": manifest_page(manifest_schema(registry)),
        "reference/rules.md": rules_page(),
    }
    return {name: "\n".join([NOTE, "", *lines, ""]) for name, lines in written.items()} | {"llms.txt": llms_page()}


def filters_page(registry: Registry) -> list[str]:
    """All filters in one table, then one after the other with a strip, settings and an example."""
    lines = _opening(
        "Filters",
        "Each strip shows one image at a low, a usual and a high setting, with the labels that the",
        "program returned. `amp filters NAME` prints the same in a terminal.",
    )
    lines += _head("filter", "labels", "Roboflow calls it")
    found = [_described(registry, name) for name in sorted(registry.filters)]
    lines += [f"| [{f.name}](#{f.name}) | {f.kind} | {f.roboflow or 'none'} |" for f in found]
    for name in sorted(registry.filters):
        lines += _filter_section(registry, registry.filters[name])
    for prefix, family in registry.families.items():
        names = sorted(family.names())
        lines += [
            "",
            f"## {prefix}.NAME",
            "",
            f"{len(names)} of {prefix}'s own transforms, whose labels were measured:",
        ]
        lines += ["", ", ".join(f"`{prefix}.{name}`" for name in names)]
    return lines


def _filter_section(registry: Registry, plugin: type[Filter]) -> list[str]:
    about = _described(registry, plugin.name)
    lines = [
        "",
        f"## {plugin.name}",
        "",
        f"![{plugin.name} at three settings]({plugin.name}.webp)",
        "",
        about.about,
        "",
    ]
    lines += [f"**Labels.** {MOVES[about.kind]}", ""]
    lines += [f"**Roboflow** calls it {about.roboflow}." if about.roboflow else "**Roboflow** has nothing like it.", ""]
    lines += [f"**Not for.** {about.caution}", ""]
    if about.settings:
        lines += _head("setting", "default", "values")
        lines += [_row(f"`{k}`", f"`{_plain(s.get('default'))}`", type_text(s)) for k, s in about.settings.items()]
        lines.append("")
    return [*lines, "```yaml", *_yaml({"filters": {plugin.name: _plain(about.example)}}), "```"]


def _described(registry: Registry, name: str) -> FilterDescription:
    found = describe_filter(registry, name)
    assert isinstance(found, FilterDescription)
    return found


def formats_page(registry: Registry) -> list[str]:
    """All formats in one table, then what each reads and writes, with its options."""
    names = sorted({*registry.sources, *registry.exporters})
    lines = _opening(
        "Formats",
        "`amp check SET -v` says which were found in a set and why. `amp export SET --to NAME -o NEW`",
        "writes one; what a format cannot hold is counted and said.",
    )
    lines += _head("format", "reads", "writes")
    lines += [f"| [{n}](#{n}) | {_yes(n in registry.sources)} | {_yes(n in registry.exporters)} |" for n in names]
    for name in names:
        sides = {"Reading": registry.sources.get(name), "Writing": registry.exporters.get(name)}
        known = {verb: plugin for verb, plugin in sides.items() if plugin is not None}
        lines += ["", f"## {name}", "", next(iter(known.values())).title + "."]
        for verb, plugin in known.items():
            lines += ["", f"**{verb}.** {_paragraph(plugin)}"]
            lines += _options(plugin.options_type, "--option" if verb == "Reading" else "--set")
            holds: Iterable[str] = getattr(plugin, "holds", ())
            lines += ["", f"Beyond boxes and classes it keeps: {', '.join(sorted(holds))}."] if holds else []
    return lines


def _options(model: type[BaseModel], flag: str) -> list[str]:
    properties: dict[str, Any] = model.model_json_schema().get("properties", {})
    if not properties:
        return []
    lines = ["", (inspect.getdoc(model) or ""), ""]
    lines += _head(f"option (`{flag} NAME=VALUE`)", "default", "values")
    for name, schema in properties.items():
        default = f"`{_plain(schema.get('default'))}`"
        lines.append(_row(f"`{name}`", default, type_text(schema)))
    return lines


def manifest_page(schema: Mapping[str, Any]) -> list[str]:
    """The keys of a manifest, and of each section."""
    lines = [
        "# The manifest",
        "",
        "A YAML file. `amp init SET` writes one with comments, `amp schema` prints the JSON Schema",
    ]
    lines += ["by which editors complete and check it. Only `sources` must be there.", "", "## Top level", ""]
    properties = dict(schema["properties"])
    ordered = [*(k for k in properties if k not in _KEYS_FIRST), *(k for k in _KEYS_FIRST if k in properties)]
    lines += _keys({key: properties[key] for key in ordered})
    for name, part in sorted(schema["$defs"].items()):
        if part.get("description") and part.get("properties"):
            lines += ["", f"## {name}", "", part["description"], "", *_keys(part["properties"])]
    return lines


def _keys(properties: Mapping[str, Any]) -> list[str]:
    lines = _head("key", "default", "values", "")
    for name, part in properties.items():
        default = f"`{_plain(part['default'])}`" if "default" in part else ""
        lines.append(_row(f"`{name}`", default, type_text(part), part.get("description", "")))
    return lines


def rules_page() -> list[str]:
    """What `amp check` looks for."""
    lines = _opening(
        "What `amp check` looks for",
        "Errors lose or falsify labels, warnings may, notes are good to know.",
        "`amp explain RULE` prints one line of this table. A rule's number never changes its meaning.",
    )
    lines += _head("rule", "", "what", "what to do")
    return lines + [_row(rule.id, rule.severity, rule.title, rule.fix) for rule in RULES.values()]


def llms_page() -> str:
    """The pages in one list, for programs that read (https://llmstxt.org)."""
    nav: list[Any] = yaml.safe_load((FOLDER.parent / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    lines = [
        "# amp_datasets",
        "",
        "> Turns a small labelled image set into a large one whose labels are exact: filters are",
    ]
    lines += [
        "> Albumentations transforms run through Hugging Face `datasets`; results train YOLO, DETR and others.",
        "",
    ]
    for section in nav:
        for title, target in section.items():
            inner = target if isinstance(target, list) else [section]
            if isinstance(target, list):
                lines += ["", f"## {title}", ""]
            lines += [f"- [{name}]({path})" for item in inner for name, path in item.items()]
    return "\n".join(lines) + "\n"


def _paragraph(plugin: Any) -> str:
    """What the plugin's own file or class says: the first paragraph."""
    return (inspect.getdoc(plugin) or "").split("\n\n")[0].replace("\n", " ")


def _opening(title: str, *about: str) -> list[str]:
    """A page's heading and what stands below it."""
    return [f"# {title}", "", *about, ""]


def _head(*columns: str) -> list[str]:
    """The first two lines of a table, as Markdown wants them."""
    return ["".join(f"| {name} " if name else "| " for name in columns) + "|", "|" + "---|" * len(columns)]


def _row(*cells: str) -> str:
    """A table's row; a bar inside a cell would end it."""
    return "| " + " | ".join(" ".join(cell.split()).replace("|", r"\|") for cell in cells) + " |"


def _plain(value: Any) -> Any:
    """A default as YAML writes it."""
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value


def _yaml(value: Any) -> list[str]:
    return yaml.safe_dump(value, sort_keys=False, default_flow_style=None, width=110).splitlines()


def _yes(value: bool) -> str:
    return "yes" if value else ""


if __name__ == "__main__":
    main()
