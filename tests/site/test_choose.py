"""The guide that chooses a tool: each of its paths, its rules, and how it stands on the page."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, get_args

import pytest
from playwright.sync_api import Locator, Page, expect

from examples.performance import choose
from examples.performance.choose import choose_tool

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS, EXAMPLES = ROOT / "docs", ROOT / "src" / "examples"
PAGE = DOCS / "choose.md"
SCRIPT = DOCS / "assets" / "choose.js"
MOST_BYTES = 5_000
WIDTHS = (390, 820, 1280)
ADDRESS = "choose/"
LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")

Open = Callable[..., Page]
Answers = tuple[tuple[str, str], ...]


def shown(cell: str) -> str:
    """Write a cell as a reader sees it."""
    return LINK.sub(r"\1", cell).replace("`", "")


def slug(option: str) -> str:
    """Write an option as the address has it."""
    return "-".join(re.findall(r"[a-z0-9]+", re.split(r"[:(]", option)[0].lower()))


@dataclass(frozen=True, slots=True)
class Row:
    """A row of one of the tables.

    Attributes:
        answers: Each question with the row's answer; the first is the kind of work.
        use: What it recommends, as Markdown.
        runner_up: What else would do.
        figure: A link to what was measured.
    """

    answers: Answers
    use: str
    runner_up: str
    figure: str

    @property
    def tool(self) -> str:
        """The tool, in the words of `choose_tool` if it is one of its tools."""
        return re.split(r"[:,]", shown(self.use))[0].lower().removeprefix("a ")


def rows_of(page: str) -> list[Row]:
    """Read the tables below the second-level heading that comes first."""
    question, part = re.split(r"^## ", page, flags=re.MULTILINE)[1].split("\n", 1)
    rows = []
    for section in re.split(r"^### ", part, flags=re.MULTILINE)[1:]:
        heading, text = section.split("\n", 1)
        heads, _, *lines = (
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in text.splitlines()
            if line.startswith("|")
        )
        for *options, use, runner_up, figure in lines:
            asked = zip(heads, options, strict=False)  # the heads of the outcome are left over
            rows.append(Row(((question, heading), *asked), use, runner_up, figure))
    return rows


def paths(rows: list[Row], column: int = 0, asked: Answers = ()) -> Iterator[tuple[Answers, Row]]:
    """Ask as the guide does, and yield each series of answers with the row where it ends."""
    if len(rows) == 1:
        yield asked, rows[0]
        return
    assert column < len(rows[0].answers), f"{asked} ends in {len(rows)} rows"
    options = dict.fromkeys(row.answers[column] for row in rows)
    if len(options) == 1:
        yield from paths(rows, column + 1, asked)
        return
    for option in options:
        assert option[1] != "any", f"{asked}: 'any' beside another answer to {option[0]}"
        chosen = [row for row in rows if row.answers[column] == option]
        yield from paths(chosen, column + 1, (*asked, option))


ROWS = rows_of(PAGE.read_text(encoding="utf-8"))


def name_of(row: Row) -> str:
    """Name a row in a test's id."""
    return "/".join(slug(option) for _, option in row.answers if option != "any")


each_row = pytest.mark.parametrize("row", ROWS, ids=name_of)


# The rules


def test_every_row_is_the_end_of_one_path() -> None:
    """None is out of reach, and none is reached twice."""
    ends = [row for _, row in paths(ROWS)]

    assert ends == ROWS
    assert len(set(ROWS)) == len(ROWS) > 20


@each_row
def test_the_answers_of_a_row_differ_in_the_address(row: Row) -> None:
    """Else an address would mean two things."""
    answers = name_of(row).split("/")

    assert len(set(answers)) == len(answers)


def test_options_of_a_question_differ_in_the_address() -> None:
    """Two that begin alike would be chosen together."""
    options = {answer for row in ROWS for answer in row.answers}

    assert len({(question, slug(option)) for question, option in options}) == len(options)


LONG = {"call_s": 1.0, "start_s": 0.1}
SHORT = {"call_s": 0.0001, "start_s": 0.1}
WORKS = {
    "it-waits": "waits",
    "it-computes-in-python": "computes",
    "it-computes-in-c": "computes in C",
    "it-runs-other-programs": "programs",
}
OLD, NEW = [(3, 11), (3, 13)], [(3, 14), (3, 15)]
# What an answer tells choose_tool; several things, if the answer leaves them open.
MANY = {
    "one-at-a-time-is-enough": [{"count": 1, **LONG}],
    "one-long-call": [{"count": 1, **LONG}],
    "up-to-some-hundreds": [{"count": 2, **LONG}, {"count": 900, **LONG}],
    "thousands": [{"count": 1_000, **LONG}, {"count": 9_000, **LONG}],
    "several": [{"count": 50, **LONG}],
    "several-long-calls": [{"count": 50, **LONG}],
    "a-great-many-short-calls": [{"count": 1_000, **SHORT}],
}
WHERE = {
    "on-one-core": [{"cores": 1}],
    "on-several-cores": [{"cores": 2}, {"cores": 64}],
    "on-one-machine": [{"cores": 1}, {"cores": 64}],
    "on-more-than-one-machine": [],  # choose_tool does not look beyond one
}
PYTHONS = {
    "default-build-up-to-3-13": [{"gil": True, "version": version} for version in OLD],
    "default-build-3-14-or-newer": [{"gil": True, "version": version} for version in NEW],
    "default-build": [{"gil": True, "version": version} for version in OLD + NEW],
    "free-threaded-build": [{"gil": False, "version": version} for version in [(3, 13), *NEW]],
}
LIBRARIES = {
    "blocking-ones": [{"async_library": False}],
    "a-blocking-one-in-an-asyncio-program": [{"async_library": False}],
    "async-ones-too": [{"async_library": True}],
    "plain-python-all-can-be-pickled": [{"extensions": False}],
    "extension-modules-too": [{"extensions": True}],
    "all-can-be-pickled": [{"extensions": False}, {"extensions": True}],
    "something-cannot-be-pickled": [
        {"picklable": False, "extensions": extensions} for extensions in (False, True)
    ],
}
QUESTIONS: dict[str, dict[str, list[dict[str, Any]]]] = {
    "How many at once?": MANY,
    "Where does it run?": WHERE,
    "Where do they run?": WHERE,
    "Which Python?": PYTHONS,
    "Which libraries?": LIBRARIES,
    "What starts them?": {"any": [{}], "blocking-code": [{}], "an-asyncio-program": [{}]},
}
NOT_ASKED = {"How many at once?": "several", "Which Python?": "any", "Which libraries?": "any"}


def tellings(row: Row) -> Iterator[dict[str, Any]]:
    """Yield all that the answers of a row may tell choose_tool, if it knows the work at all."""
    (_, work), *answers = row.answers
    if slug(work) not in WORKS:
        return
    meant = []
    for question, option in {**NOT_ASKED, **dict(answers)}.items():
        meanings = QUESTIONS[question]
        anything = [telling for some in meanings.values() for telling in some]
        meant.append(anything if option == "any" else meanings[slug(option)])
    for parts in product(*meant):
        yield {"work": WORKS[slug(work)]} | {
            name: value for part in parts for name, value in part.items()
        }


SPOKEN = [row for row in ROWS if any(True for _ in tellings(row))]


@pytest.mark.parametrize("row", SPOKEN, ids=name_of)
def test_the_guide_agrees_with_the_function(row: Row) -> None:
    """Whatever the answers leave open, choose_tool recommends the tool of the row."""
    assert {choose_tool(**telling).tool for telling in tellings(row)} == {row.tool}


def test_the_two_are_compared_wherever_both_speak() -> None:
    """That is everywhere but on several machines, for mixed work and for unknown work."""
    silent = {"it-waits-then-computes", "i-do-not-know", "on-more-than-one-machine"}

    assert {row.tool for row in SPOKEN} == set(get_args(choose.Tool))
    assert [row for row in ROWS if silent.isdisjoint(name_of(row).split("/"))] == SPOKEN


# What a row leads to


def fault_of(text: str, target: str) -> str:
    """Say what is wrong with a link: no such page, or no such function on it."""
    name = target.partition("#")[0]
    if name and not (DOCS / name).is_file():
        return f"{target} is no page"
    module = (EXAMPLES / name).with_suffix(".py")
    defined = rf"^(?:async )?(?:def|class) {text.strip('`')}\b"
    if text.startswith("`") and not re.search(defined, module.read_text(), re.MULTILINE):
        return f"{text} is not of {name}"
    return ""


@each_row
def test_a_row_leads_to_functions_and_pages_that_exist(row: Row) -> None:
    """The recommendation and the runner-up have links, and the runner-up a condition."""
    for cell in (row.use, row.runner_up):
        links = LINK.findall(cell)
        assert links
        assert [fault for link in links if (fault := fault_of(*link))] == []
    assert ", if " in row.runner_up


@each_row
def test_a_reason_was_measured(row: Row) -> None:
    """It is a figure of this page, and its words stand in the claim or the title of its block."""
    [(words, target)] = LINK.findall(row.figure)
    name = re.sub(r"-\d$", "", target.removeprefix("#"))  # a block may have several figures
    pages = {file: file.read_text(encoding="utf-8") for file in DOCS.rglob("*.md")}
    fence = rf'^```python exec="on" id="{name}".*?^```$'
    [block] = [
        found[0]
        for page in pages.values()
        for found in re.finditer(fence, page, re.MULTILINE | re.DOTALL)
    ]

    assert f"[[measured figure {name}]]" in pages[PAGE]
    assert f'"{words}' in block


def test_faults_of_links_are_reported() -> None:
    """A page that is not there, a function of another page; a sound one has no fault."""
    assert fault_of("`overlap_waits`", "threads/gone.md") == "threads/gone.md is no page"
    assert (
        fault_of("`wait`", "threads/overlap_waits.md")
        == "`wait` is not of threads/overlap_waits.md"
    )
    assert fault_of("`overlap_waits`", "threads/overlap_waits.md#how-it-works") == ""


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("one", "any"), "'any' beside another answer"),
        (("one", "one"), "ends in 2 rows"),
    ],
)
def test_rows_that_no_path_tells_apart_are_reported(
    options: tuple[str, str], complaint: str
) -> None:
    """The same answers twice, or an answer that is open beside one that is not."""
    rows = [
        Row((("How many?", option),), f"{place}", "", "") for place, option in enumerate(options)
    ]

    with pytest.raises(AssertionError, match=complaint):
        list(paths(rows))


# In a browser


@pytest.fixture
def guide(open_page: Open) -> Page:
    """Open the page."""
    return open_page(ADDRESS)


def address(path: Answers) -> str:
    """Write the answers of a path as the address has them."""
    return f"#guide/{'/'.join(slug(option) for _, option in path)}"


def option_of(page: Page, question: str, option: str) -> Locator:
    """Find a radio button as a screen reader names it."""
    return page.get_by_role("group", name=question).get_by_role("radio", name=option, exact=True)


def expect_questions(page: Page, asked: Answers) -> None:
    """These questions are asked, in this order, and no other."""
    expect(page.locator("#guide legend")).to_have_text([question for question, _ in asked])


def expect_answer(page: Page, row: Row) -> None:
    """The guide says what the row says, and shows what was measured."""
    answer = page.locator("#guide").get_by_role("status").locator("p")
    expect(answer).to_have_text([f"Use: {shown(row.use)}", f"Runner-up: {shown(row.runner_up)}"])
    [(words, target)] = LINK.findall(row.figure)
    measured = page.locator("#guide .guide-measured")
    expect(measured).to_contain_text(words)
    expect(measured.locator(".measured-verdict, table")).to_have_count(1)
    expect(measured.get_by_role("link")).to_have_attribute("href", target)


def test_every_path_can_be_clicked(guide: Page) -> None:
    """Only questions that matter are asked, one after another; the address keeps the answers."""
    start = guide.url
    for path, row in paths(ROWS):
        guide.goto(start)
        for place, (question, option) in enumerate(path):
            expect_questions(guide, path[: place + 1])
            expect(guide.locator("#guide").get_by_role("status")).to_be_empty()
            option_of(guide, question, option).check()
        expect_questions(guide, path)
        expect_answer(guide, row)
        assert guide.url == start + address(path)


def test_every_answer_can_be_linked(guide: Page, open_page: Open) -> None:
    """Its address shows it: in an open page, after another answer, and in one just loaded."""
    start = guide.url
    for path, row in paths(ROWS):
        guide.goto(start + address(path))
        expect_questions(guide, path)
        expect_answer(guide, row)
    expect_answer(open_page(ADDRESS + address(path)), row)


def test_a_link_to_a_place_on_the_page_leaves_the_answers(guide: Page) -> None:
    """A reader who looks at the figure comes back to the answer."""
    path, row = list(paths(ROWS))[3]
    guide.goto(guide.url + address(path))
    guide.locator("#guide .guide-measured").get_by_role("link").click()

    assert guide.url.endswith(LINK.findall(row.figure)[0][1])
    expect_answer(guide, row)


def test_an_address_that_means_nothing_asks_the_first_question(open_page: Open) -> None:
    """An old link does no harm."""
    page = open_page(f"{ADDRESS}#guide/gone/../%3Cb%3E")

    expect_questions(page, ROWS[0].answers[:1])
    expect(page.locator("#guide :checked")).to_have_count(0)


def test_the_keyboard_suffices(guide: Page) -> None:
    """Space chooses, the arrows change the choice, Tab goes on; the focus never gets lost."""
    (first, waits), (second, _), *_ = next(paths(ROWS))[0]
    computes = ROWS[-1].answers[0][1]
    option_of(guide, first, waits).focus()
    guide.keyboard.press("Space")
    expect(option_of(guide, first, waits)).to_be_checked()
    guide.keyboard.press("ArrowUp")  # from the first round to the last
    expect(option_of(guide, first, computes)).to_be_focused()
    expect_answer(guide, ROWS[-1])
    guide.keyboard.press("ArrowDown")
    expect(option_of(guide, first, waits)).to_be_focused()
    guide.keyboard.press("Tab")
    guide.keyboard.press("Space")
    question, option = next(paths(ROWS))[0][1]
    assert question == second
    expect(option_of(guide, question, option)).to_be_checked()
    expect_answer(guide, ROWS[0])


def test_an_answer_that_still_fits_is_kept(guide: Page) -> None:
    """Another kind of work asks where it runs as well, and knows it."""
    question = ROWS[0].answers[0][0]
    option_of(guide, question, "It computes in Python").check()
    option_of(guide, "Where does it run?", "On one core (a small container)").check()
    option_of(guide, question, "It computes in C: NumPy, hashing, compression").check()

    expect_answer(guide, next(row for row in ROWS if "in-c/on-one-core" in name_of(row)))


@pytest.mark.parametrize("width", WIDTHS)
def test_a_long_answer_fits_the_window(open_page: Open, width: int) -> None:
    """Nothing sticks out at the side."""
    path, row = max(paths(ROWS), key=lambda found: len(found[0]))
    page = open_page(ADDRESS + address(path), viewport={"width": width, "height": 900})

    expect_answer(page, row)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_without_scripts_the_tables_say_it_all(open_page: Open) -> None:
    """Each row stands in the table below its heading, and nothing else is in the way."""
    page = open_page(ADDRESS, java_script_enabled=False)
    headings = list(dict.fromkeys(row.answers[0][1] for row in ROWS))
    for heading in headings:
        rows = [row for row in ROWS if row.answers[0][1] == heading]
        title = page.get_by_role("heading", name=heading)
        expect(title).to_be_visible()
        told = title.locator("xpath=following::table[1]").locator("tbody tr")
        expect(told).to_have_text(
            [
                re.compile(
                    r"\s*".join(
                        re.escape(shown(cell))
                        for cell in (
                            *(option for _, option in row.answers[1:]),
                            row.use,
                            row.runner_up,
                            row.figure,
                        )
                    )
                )
                for row in rows
            ]
        )
        expect(told.first).to_be_visible()
    expect(page.locator("#guide")).to_be_hidden()


def test_the_script_is_small_and_loaded_here_alone(open_page: Open) -> None:
    """Under 5 kB as it is written."""
    scripts = "[...document.scripts].filter((one) => one.src.endsWith('/choose.js')).length"

    assert len(SCRIPT.read_bytes()) < MOST_BYTES
    assert open_page(ADDRESS).evaluate(scripts) == 1
    assert open_page("").evaluate(scripts) == 0
