// Asks the tables of this page as questions. Without it they stand as they are.
{
  const guide = document.getElementById("guide");
  const OUTCOMES = 3; // the last columns of a table: use, runner-up, figure
  const words = (node) => node.textContent.trim();
  const make = (name, kind, ...children) => {
    const node = document.createElement(name);
    if (kind) node.className = `guide-${kind}`;
    node.append(...children);
    return node;
  };
  // An option as it stands in the address: its words up to a colon or a bracket.
  const slug = (option) => option.split(/[:(]/)[0].toLowerCase().match(/[a-z0-9]+/g).join("-");

  // A row is its answers, first the heading above its table, and its outcome.
  const rows = [];
  const headings = [];
  for (const node of guide.closest("article").querySelectorAll("h2, h3, table")) {
    if (node.tagName !== "TABLE") {
      if (node.tagName === "H2" && headings.length) break;
      headings.splice(1, 1, words(node.firstChild));
      continue;
    }
    const questions = [...node.tHead.rows[0].cells].map(words).slice(0, -OUTCOMES);
    for (const { cells } of node.tBodies[0].rows) {
      for (const cell of cells) if (words(cell) === "any") cell.className = "guide-any";
      rows.push({
        answers: [headings, ...questions.map((question, at) => [question, words(cells[at])])].map(
          ([question, option]) => ({ question, option }),
        ),
        outcome: [...cells].slice(-OUTCOMES),
      });
    }
  }

  const chosen = new Set();
  const questions = make("div");
  const answer = make("div", "answer");
  answer.setAttribute("role", "status");
  const measured = make("div", "measured");
  guide.append(questions, answer, measured);

  const show = ({ outcome: [use, runnerUp, reason] }) => {
    const told = (label, cell) =>
      make("p", "", make("strong", "", `${label}: `), ...cell.cloneNode(true).childNodes);
    answer.replaceChildren(told("Use", use), told("Runner-up", runnerUp));
    const link = reason.querySelector("a").cloneNode(true);
    const figure = document.getElementById(link.hash.slice(1));
    // The verdict with the words of the link; a figure without one has its table.
    const verdicts = [...(figure?.querySelectorAll(".measured-verdict") ?? [])];
    const found =
      verdicts.find((verdict) => words(verdict).includes(words(link))) ??
      figure?.querySelector("table");
    if (figure) link.textContent = words(figure.querySelector("figcaption").firstChild);
    measured.replaceChildren(make("p", "", make("strong", "", "Measured by this build: "), link));
    if (found) measured.append(found.cloneNode(true));
  };

  // Asks on from a place: the next question is one on which the rows that are left differ.
  const ask = (from) => {
    [...questions.children].slice(from).forEach((field) => field.remove());
    answer.replaceChildren();
    measured.replaceChildren();
    let left = rows;
    for (let column = 0, place = 0; left.length > 1; column++) {
      const options = [...new Set(left.map(({ answers }) => answers[column].option))];
      if (options.length < 2) continue;
      if (place >= questions.children.length)
        questions.append(field(left[0].answers[column].question, options, place));
      place++;
      const now = options.find((option) => chosen.has(slug(option)));
      if (!now) return;
      left = left.filter(({ answers }) => answers[column].option === now);
    }
    show(left[0]);
  };

  const field = (question, options, place) =>
    make(
      "fieldset",
      "",
      make("legend", "", question),
      ...options.map((option) => {
        const input = make("input");
        const value = slug(option);
        Object.assign(input, { type: "radio", name: `guide-${place}`, value });
        input.checked = chosen.has(value);
        input.addEventListener("change", () => {
          for (const other of options) chosen.delete(slug(other));
          chosen.add(value);
          ask(place + 1);
          const path = [...questions.querySelectorAll(":checked")].map((one) => one.value);
          history.replaceState(null, "", `#guide/${path.join("/")}`);
        });
        return make("label", "", input, make("span", "", option));
      }),
    );

  // The answers stand in the address, so that an answer can be linked.
  const read = () => {
    chosen.clear();
    for (const value of location.hash.split("/").slice(1)) chosen.add(value);
    ask(0);
  };
  addEventListener("hashchange", () => location.hash.startsWith("#guide") && read());
  read();
}
