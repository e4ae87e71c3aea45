"""Addresses about filters: what there is, what it does to an image of the set, what a build would come to."""

from __future__ import annotations

import base64
import time
from typing import Any

from fastapi.responses import Response

from amp_datasets.errors import AmpError
from amp_datasets.sources.joining import Item
from amp_datasets.studio.controls import filter_list, harms
from amp_datasets.studio.rendering import Rendered, Renderer, shown_variant
from amp_datasets.studio.routes.answers import Route, Trial, image
from amp_datasets.studio.session import Session
from amp_datasets.variants.maker import Refused


class TryingRoutes:
    """Filters on the images of the set."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._renderer = Renderer()
        self._filters = filter_list(session.registry)

    def routes(self) -> list[Route]:
        """Method, address and function of each."""
        return [
            ("GET", "filters", self.filters),
            ("GET", "harms", self.harms),
            ("GET", "counts", self.counts),
            ("POST", "try", self.try_out),
            ("POST", "file", self.file),
        ]

    def filters(self) -> dict[str, Any]:
        """Every filter with its controls."""
        return {"filters": self._filters}

    def harms(self) -> dict[str, Any]:
        """Which filters the labels of the open sets suffer from."""
        whole = self._session.whole()
        samples = [item.sample for item in whole.joined.items]
        names = [category.name for category in whole.joined.categories]
        return {"harms": harms(whole.registry, self._session.chosen().recipe, samples, names)}

    def counts(self) -> dict[str, Any]:
        """How many images and labels a build would make."""
        return self._session.counts().to_json()

    def try_out(self, body: Trial) -> Any:
        """A variant as the build would write it, shrunk; 204 if a newer request made this one pointless."""
        started = time.perf_counter()
        with self._renderer.turn(body.slot, body.serial, first=body.first) as newest:
            if body.slot and not newest:
                return Response(status_code=204)
            made = self._variant(body)
            if isinstance(made, Refused):
                return {"refused": made.reason, "detail": made.detail}
            categories = self._session.whole().joined.categories
            data = shown_variant(made, categories, (body.side, body.side), body.labels)
        return image(data, {**made.facts(), "ms": round(1000 * (time.perf_counter() - started))})

    def file(self, body: Trial) -> dict[str, Any]:
        """The very bytes and labels that the build would write."""
        made = self._variant(body)
        if isinstance(made, Refused):
            return {"refused": made.reason, "detail": made.detail}
        return {"data": base64.b64encode(made.data).decode(), "labels": made.labels, **made.facts()}

    def _variant(self, body: Trial) -> Rendered | Refused:
        trial = self._session.trial(body.kind, body.name, body.value)
        return self._renderer.variant(trial, self._item(body), body.name, body.copy_, body.seed)

    def _item(self, body: Trial) -> Item:
        """The image that is meant, as preprocessing leaves it; the first of its pieces."""
        whole = self._session.whole().joined.items
        if body.generation != self._session.generation or not 0 <= body.index < len(whole):
            raise AmpError("there is no such image any more", fix="look at the grid again")
        wanted = whole[body.index]
        chosen = self._session.chosen().joined.items
        if body.index < len(chosen) and chosen[body.index].sample is wanted.sample:
            return chosen[body.index]
        found = next((item for item in chosen if item.sample is wanted.sample), None)
        if found is None:
            raise AmpError("preprocessing leaves this image out", where=wanted.sample.source_id)
        return found
