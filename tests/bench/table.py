"""Figures beside their goals: medians with the lowest and highest, as a table for people and docs/BENCHMARKS.md."""
import statistics

KIB, MIB = 1 << 10, 1 << 20


def mb_s(value):
    return f"{value:.0f} MB/s"


def cpu_s(value):
    return f"{value:.2f} s"


def ms(value):
    return f"{value * 1000:.0f} ms"


def tenths_ms(value):
    return f"{value * 1000:.1f} ms"


def us(value):
    return f"{value * 1e6:.1f} us"


def per_s(value):
    return f"{value:.0f} /s"


def kib(value):
    return f"{value / KIB:.1f} KiB"


def mib(value):
    return f"{value / MIB:.1f} MiB"


def percent(value):
    return f"{value * 100:.2f} %"


def median(values):
    return statistics.median(values)


def spread(values, form):
    number, unit = form(median(values)).split(" ", 1)
    low, high = (form(value).split(" ", 1)[0] for value in (min(values), max(values)))
    return f"{number} ({low}-{high}) {unit}"


class Table:
    """`other` is what stands beside sallyport."""

    def __init__(self, other):
        self.columns = ("figure", "sallyport", other, "ratio", "goal", "")
        self.rows = []

    def compare(self, figure, ours, theirs, form, goal, at_least):
        """Two lists of values measured in turn; the goal, if there is one, is for the ratio of their medians."""
        ratio = median(ours) / median(theirs)
        met = goal is not None and (ratio >= goal if at_least else ratio <= goal)
        self.rows.append((figure, spread(ours, form), spread(theirs, form), f"{ratio:.2f}",
                          f"{'>=' if at_least else '<='} {goal:.2f}" if goal else "",
                          "" if goal is None else "met" if met else "missed"))

    def added(self, figure, ours, theirs, form, most):
        """The same, where the goal is for the difference."""
        more = median(ours) - median(theirs)
        self.rows.append((figure, spread(ours, form), spread(theirs, form), f"{'+-'[more < 0]} {form(abs(more))}", f"<= + {form(most)}",
                          "met" if more <= most else "missed"))

    def bound(self, figure, value, form, most):
        self.rows.append((figure, form(value), "", "", f"<= {form(most)}", "met" if value <= most else "missed"))

    def note(self, figure, text):
        self.rows.append((figure, text, "", "", "", ""))

    def __str__(self):
        widths = [max(len(row[i]) for row in [self.columns, *self.rows]) for i in range(len(self.columns))]
        lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |"
                 for row in [self.columns, tuple("-" * width for width in widths), *self.rows]]
        return "\n".join(lines)
