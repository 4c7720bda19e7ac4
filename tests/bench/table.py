"""Figures beside their goals: medians with the lowest and highest, as a table for people and docs/BENCHMARKS.md."""
import statistics


def median(values):
    return statistics.median(values)


def spread(values, form):
    number, unit = form(median(values)).split(" ", 1)
    low, high = (form(value).split(" ", 1)[0] for value in (min(values), max(values)))
    return f"{number} ({low}-{high}) {unit}"


class Table:
    columns = ("figure", "sallyport", "sshd", "ratio", "goal", "")

    def __init__(self):
        self.rows = []

    def compare(self, figure, ours, theirs, form, goal, at_least):
        """Two lists of values measured in turn; the goal is for the ratio of their medians."""
        ratio = median(ours) / median(theirs)
        met = ratio >= goal if at_least else ratio <= goal
        self.rows.append((figure, spread(ours, form), spread(theirs, form), f"{ratio:.2f}",
                          f"{'>=' if at_least else '<='} {goal:.2f}", "met" if met else "missed"))

    def bound(self, figure, value, form, most):
        self.rows.append((figure, form(value), "", "", f"<= {form(most)}", "met" if value <= most else "missed"))

    def note(self, figure, text):
        self.rows.append((figure, text, "", "", "", ""))

    def __str__(self):
        widths = [max(len(row[i]) for row in [self.columns, *self.rows]) for i in range(len(self.columns))]
        lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |"
                 for row in [self.columns, tuple("-" * width for width in widths), *self.rows]]
        return "\n".join(lines)
