"""The licence of a build's images: what the manifest or the sources say, as the hub calls it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

# https://huggingface.co/docs/hub/repositories-licenses, read in November 2026; what is not there is `other`.
HUB_LICENCES = frozenset({
    "apache-2.0", "mit", "openrail", "bigscience-openrail-m", "creativeml-openrail-m",
    "bigscience-bloom-rail-1.0", "bigcode-openrail-m", "afl-3.0", "artistic-2.0", "bsl-1.0", "bsd",
    "bsd-2-clause", "bsd-3-clause", "bsd-3-clause-clear", "c-uda", "cc", "cc0-1.0", "cc-by-2.0", "cc-by-2.5",
    "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0",
    "cc-by-nd-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0",
    "cc-by-nc-sa-4.0", "cdla-sharing-1.0", "cdla-permissive-1.0", "cdla-permissive-2.0", "wtfpl", "ecl-2.0",
    "epl-1.0", "epl-2.0", "etalab-2.0", "eupl-1.1", "eupl-1.2", "agpl-3.0", "gfdl", "gpl", "gpl-2.0", "gpl-3.0",
    "lgpl", "lgpl-2.1", "lgpl-3.0", "isc", "lppl-1.3c", "ms-pl", "mpl-2.0", "odc-by", "odbl", "openrail++",
    "osl-3.0", "postgresql", "ofl-1.1", "ncsa", "unlicense", "zlib", "pddl", "lgpl-lr", "deepfloyd-if-license",
    "llama2", "llama3", "gemma", "unknown", "other",
})  # fmt: skip
_SAID = re.compile(r"License: (.+?)(?:, provided by |, https://|$)")


def licence_id(words: str) -> str | None:
    """The hub's name of a licence as people write it ("CC BY 4.0", "MIT License"); None if it is none that we know."""
    name = re.sub(r"[\s_]+", "-", re.sub(r"\b(the|licen[sc]e|version|creative commons)\b", " ", words.lower()).strip())
    name = re.sub(r"^attribution", "by", name.strip("-()"))
    for candidate in (name, f"cc-{name}", re.sub(r"-v(?=\d)", "-", name), {"apache-2": "apache-2.0"}.get(name, name)):
        if candidate in HUB_LICENCES:
            return candidate
    return None


def licence_metadata(given: str | None, sources: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The card's `license`: as given, else what all sources say alike; nothing where one of them says nothing.

    What the hub does not know is `other`, with the words beside it.
    """
    words = given or _common(sources)
    if not words:
        return {}
    known = licence_id(words)
    return {"license": known} if known is not None else {"license": "other", "license_name": words[:100]}


def _common(sources: Sequence[Mapping[str, Any]]) -> str | None:
    said = [found.group(1) if (found := _SAID.match(source.get("provenance", ""))) else None for source in sources]
    first = said[0] if said else None
    return first if all(each == first for each in said) else None
