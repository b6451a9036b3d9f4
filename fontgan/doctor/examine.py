"""The whole page, line by line, and its verdict."""

from collections.abc import Iterator

from fontgan.doctor.child import ask_child
from fontgan.doctor.disk import disk_rows
from fontgan.doctor.machine import machine_rows
from fontgan.doctor.packages import package_rows
from fontgan.doctor.rows import Row, why


def examine(device: str, precision: str) -> Iterator[Row]:
    """Everything that is told, each as soon as it is known; nothing is raised for what is broken."""
    yield from machine_rows()
    yield from package_rows()
    yield from disk_rows()
    try:
        yield from ask_child(device, precision)
    except OSError as error:
        yield Row("self-test", "start", why(error), ok=False)


def print_page(device: str = "auto", precision: str = "auto") -> list[Row]:
    """Prints the page. Returns: its rows."""
    rows: list[Row] = []
    for row in examine(device, precision):
        if rows and row.section != rows[-1].section:
            print()
        print(row, flush=True)
        rows.append(row)
    print(f"\n{verdict(rows)}")
    return rows


def healthy(rows: list[Row]) -> bool:
    return all(row.ok is not False for row in rows)


def verdict(rows: list[Row]) -> str:
    failed = [row.name for row in rows if row.ok is False]
    if failed:
        return f"FAILED: {', '.join(failed)}. Paste this page into a report; it names no folder, user or host."
    return "Everything that fontgan needs works here."
