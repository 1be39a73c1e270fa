"""Figures that come from several rows of `measure.measure`, all of one contestant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from caduceus.bench.measure import Row

Found = list[dict[str, Any]]


def derived(rows: Sequence[Row], subject: str) -> dict[str, Found]:
    """Plain values.

    Keys:
        scan_backward: seconds of a scan's training step less its forward, and updates a second in it.
        ps_over_ph: time of a ps model over that of the ph model, for each size and mode.
        short_sequences: tokens a second on the shortest sequences as a share of those on the next longer, for each
            variant and mode.
    """
    own = [row for row in rows if subject in row["contestants"]]
    return {
        "scan_backward": _scan_backward(own, subject),
        "ps_over_ph": _ps_over_ph(own, subject),
        "short_sequences": _short_sequences([row for row in own if row["length"] == row["asked"]], subject),
    }


def _scan_backward(rows: Sequence[Row], subject: str) -> Found:
    scans = [row for row in rows if row["part"] == "scan"]
    found = []
    for step in (row for row in scans if row["mode"] == "train"):
        for forward in (row for row in scans if row["mode"] == "forward" and _size(row) == _size(step)):
            seconds = _median(step, subject) - _median(forward, subject)
            if seconds > 0:
                rate = {"seconds": seconds, "updates_per_second": step["updates"] / seconds}
                found.append({"batch": step["batch"], "length": step["length"], **rate})
    return found


def _ps_over_ph(rows: Sequence[Row], subject: str) -> Found:
    found = []
    for ps in (row for row in rows if row["variant"] == "ps"):
        for ph in (row for row in rows if row["variant"] == "ph"):
            if (_size(ph), ph["mode"]) == (_size(ps), ps["mode"]):
                ratio = _median(ps, subject) / _median(ph, subject)
                found.append({"mode": ps["mode"], "batch": ps["batch"], "length": ps["length"], "ratio": ratio})
    return found


def _short_sequences(rows: Sequence[Row], subject: str) -> Found:
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row["part"] == "model":
            groups.setdefault((row["variant"], row["mode"]), []).append(row)
    found = []
    for (variant, mode), group in groups.items():
        if len(group) < 2:
            continue
        short, longer = sorted(group, key=lambda row: row["length"])[:2]
        share = _rate(short, subject) / _rate(longer, subject)
        sizes = {"size": _size(short), "beside": _size(longer)}
        found.append({"variant": variant, "mode": mode, **sizes, "share": share})
    return found


def _size(row: Row) -> str:
    return f"{row['batch']} x {row['length']}"


def _median(row: Row, subject: str) -> float:
    median: float = row["contestants"][subject]["median"]
    return median


def _rate(row: Row, subject: str) -> float:
    rate: float = row["contestants"][subject]["tokens_per_second"]
    return rate
