"""What counts as a difference: of answers, byte by byte, and of dumps, as JSON."""
import json
import struct

SHOWN_MAX = 4


class Difference(Exception):
    """The two do not agree; the text says where."""


def compare_answers(questions, wanted, found, name):
    """All answers must have the same columns and the same rows in the same order."""
    problems = []
    for question, want, have in zip(questions, wanted, found):
        problem = answer_problem(want, have)
        if problem:
            problems.append(f"{question}\n    {problem}")
    if problems:
        shown = "\n  ".join(problems[:SHOWN_MAX])
        raise Difference(f"{name} answers {len(problems)} of {len(questions)} questions otherwise:\n  {shown}")


def answer_problem(want, have):
    if have.error or want.error:
        return None if have.error == want.error else f"wanted {want.error or 'rows'}, got {have.error or 'rows'}"
    if want.columns != have.columns:
        return f"columns are {have.columns}, not {want.columns}"
    if want.rows == have.rows:
        return None
    if len(want.rows) != len(have.rows):
        extra, lost = [row for row in have.rows if row not in want.rows], [row for row in want.rows if row not in have.rows]
        return f"{len(have.rows)} rows, not {len(want.rows)}; lost {show(lost)}; extra {show(extra)}"
    at = next(index for index, (one, other) in enumerate(zip(want.rows, have.rows)) if one != other)
    differing = [(column[0], one, other) for column, one, other in zip(want.columns, want.rows[at], have.rows[at]) if one != other]
    cells = "; ".join(f"{name}: {text(other)}, not {text(one)}" for name, one, other in differing[:SHOWN_MAX])
    return f"row {at} of {len(want.rows)}, {show([want.rows[at][:3]])}: {cells}"


def show(rows):
    return f"{len(rows)}" + "".join(f" ({', '.join(text(value) for value in row[:6])})" for row in rows[:2])


def text(value):
    return "null" if value is None else f"0x{value[:40].hex()}{'...' if len(value) > 40 else ''}"


def compare_dumps(data_file, theirs, ours, has_counters):
    """Both dumps as JSON; `expired` and the like are as of the same minute. Cassandra's tool shows counters wrongly."""
    try:
        want, have = json.loads(theirs), json.loads(ours)
    except json.JSONDecodeError as problem:
        raise Difference(f"{data_file.name}: a dump is no JSON: {problem}") from problem
    if has_counters:
        want, have = without_values(want), without_values(have)
    problem = json_problem(want, have, "")
    if problem:
        raise Difference(f"dump of {data_file}: {problem}")


def without_values(part):
    if isinstance(part, dict):
        return {key: None if key == "value" else without_values(inner) for key, inner in part.items()}
    return [without_values(inner) for inner in part] if isinstance(part, list) else part


def are_one_float(one, other):
    """Java 17 writes some floats with a digit more than they need."""
    if not (isinstance(one, float) and isinstance(other, float)) or max(abs(one), abs(other)) > 3.4e38:
        return False
    digits = len(repr(other).split("e")[0].replace("-", "").replace(".", "").strip("0"))
    return digits <= 9 and struct.pack(">f", one) == struct.pack(">f", other)


def json_problem(want, have, path):
    if type(want) is not type(have):
        return f"{path} is {have!r:.200}, not {want!r:.200}"
    if isinstance(want, dict):
        if list(want) != list(have):
            return f"{path} has the keys {list(have)}, not {list(want)}"
        return next(filter(None, (json_problem(want[key], have[key], f"{path}.{key}") for key in want)), None)
    if isinstance(want, list):
        if len(want) != len(have):
            return f"{path} has {len(have)} items, not {len(want)}"
        return next(filter(None, (json_problem(one, other, f"{path}[{index}]") for index, (one, other) in enumerate(zip(want, have)))), None)
    return None if want == have or are_one_float(want, have) else f"{path} is {have!r:.200}, not {want!r:.200}"
