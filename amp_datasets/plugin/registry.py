"""Names to plugins: filters, sources and exporters. Loud: a second plugin of one name is an error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from amp_datasets.errors import PluginError, file_of, nearest

if TYPE_CHECKING:
    from amp_datasets.filtering.base import Filter
    from amp_datasets.formats.base import Exporter, Source

_P = TypeVar("_P")


@dataclass(frozen=True, slots=True)
class Registry:
    """All plugins of this process. Plugins add themselves in their `register(registry)`."""

    filters: dict[str, type[Filter]] = field(default_factory=dict)
    sources: dict[str, type[Source[Any]]] = field(default_factory=dict)
    exporters: dict[str, type[Exporter[Any]]] = field(default_factory=dict)
    families: dict[str, Family] = field(default_factory=dict)

    def add_filter(self, plugin: type[Filter]) -> None:
        """Offer a filter under its `name`. Raises PluginError if it lacks what its kind has to define."""
        lacks = getattr(plugin, "lacks", None)
        if lacks is None:
            kinds = "PixelFilter, TableFilter, GeometricFilter or HidingFilter of amp_datasets.filtering.base"
            raise TypeError(f"{plugin!r} is no filter: subclass {kinds}")
        missing = lacks()
        if missing:
            raise PluginError(
                f"the filter {plugin.__name__} has no `{missing[0]}`",
                where=file_of(plugin),
                fix="define it in the class",
            )
        _add(self.filters, plugin.name, plugin, "filter")

    def add_source(self, plugin: type[Source[Any]]) -> None:
        """Offer a reader of sets under its `name`."""
        _add(self.sources, plugin.name, plugin, "source format")

    def add_exporter(self, plugin: type[Exporter[Any]]) -> None:
        """Offer a writer of sets under its `name`."""
        _add(self.exporters, plugin.name, plugin, "export format")

    def add_family(self, prefix: str, family: Family) -> None:
        """Offer many filters at once as `prefix.NAME`, found when they are asked for."""
        _add(self.families, prefix, family, "filter family")

    def filter(self, name: str) -> type[Filter]:
        """The filter of a name that a manifest uses."""
        prefix, dot, member = name.partition(".")
        if dot and prefix in self.families:
            return self.families[prefix].resolve(member)
        return find(self.filters, name, "a filter", "`amp filters` lists all", _OWN)

    def source(self, name: str) -> type[Source[Any]]:
        """The reader of a format's name."""
        return find(self.sources, name, "a source format", f"one of: {', '.join(sorted(self.sources))}")

    def exporter(self, name: str) -> type[Exporter[Any]]:
        """The writer of a format's name."""
        return find(self.exporters, name, "an export format", f"one of: {', '.join(sorted(self.exporters))}")


@dataclass(frozen=True, slots=True)
class Family:
    """Filters of another library: `resolve` makes one usable or says why it is refused, `names` lists the usable."""

    resolve: Callable[[str], type[Filter]]
    names: Callable[[], Iterable[str]]


_OWN = "; for one of your own, name its folder by --plugins-dir or AMP_PLUGINS_DIR"


def find(plugins: Mapping[str, _P], name: str, kind: str, otherwise: str, strange: str = "") -> _P:
    """The plugin of that name, or an error with the nearest one; `strange` is added where none is near."""
    if name in plugins:
        return plugins[name]
    near = nearest(name, plugins)
    fix = f"{otherwise}{strange}" if near is None else f"did you mean `{near}`?  {otherwise}"
    raise PluginError(f"`{name}` is not {kind}", fix=fix)


def _add(plugins: dict[str, _P], name: str, plugin: _P, kind: str) -> None:
    if name in plugins:
        raise PluginError(
            f"two plugins offer the {kind} `{name}`: {file_of(plugins[name])} and {file_of(plugin)}",
            fix="rename or remove one of them",
        )
    plugins[name] = plugin
