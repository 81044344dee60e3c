"""Reads a running connector's /metrics, as Prometheus would."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import httpx2 as httpx
from prometheus_client.parser import text_string_to_metric_families

PREFIX = "redo_connector_"


@dataclass(frozen=True, slots=True)
class Scrape:
    """Samples by name (without the prefix) and by their labels' values."""

    samples: Mapping[str, Mapping[tuple[str, ...], float]]

    def value(self, name: str, *labels: str) -> float:
        """One sample, 0 when it isn't there yet."""
        return self.samples.get(name, {}).get(labels, 0.0)

    def total(self, name: str) -> float:
        return sum(self.samples.get(name, {}).values())

    def quantile(self, name: str, share: float, before: Scrape | None = None) -> float | None:
        """From a histogram's buckets, as PromQL's histogram_quantile does; None when nothing was observed."""
        buckets = sorted((float(labels[0]), count) for labels, count in self.samples.get(name + "_bucket", {}).items())
        if before is not None:
            buckets = [(bound, count - before.value(name + "_bucket", _label(bound))) for bound, count in buckets]
        if not buckets or buckets[-1][1] <= 0:
            return None
        rank = share * buckets[-1][1]
        for (low, below), (high, count) in pairwise([(0.0, 0.0), *buckets]):
            if count >= rank:
                return low if high == float("inf") else low + (high - low) * (rank - below) / (count - below)
        return None


def _label(bound: float) -> str:
    return "+Inf" if bound == float("inf") else repr(bound)


async def scrape(client: httpx.AsyncClient, url: str) -> Scrape:
    """Raises httpx.HTTPError."""
    answer = await client.get(url, timeout=10.0)
    answer.raise_for_status()
    samples: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = tuple(sample.labels[name] for name in sorted(sample.labels))
            samples.setdefault(sample.name.removeprefix(PREFIX), {})[labels] = sample.value
    return Scrape(samples)
