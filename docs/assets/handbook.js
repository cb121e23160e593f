// What a page does beyond being read: colours, copying, searching, turning pages. All of it can be missed.

const root = document.documentElement;

// The switches for the colours, in the header and in the menu: system, light, dark.
const switches = document.querySelectorAll(".handbook-scheme select");
for (const one of switches) {
  one.value = root.dataset.scheme ?? "";
  one.addEventListener("change", () => {
    for (const other of switches) other.value = one.value;
    if (one.value) root.dataset.scheme = one.value;
    else delete root.dataset.scheme;
    try {
      if (one.value) localStorage.setItem("handbook-scheme", one.value);
      else localStorage.removeItem("handbook-scheme");
    } catch {
      // chosen for this page only
    }
  });
}

// The code of a block; of a console, what was typed: no prompts, no output.
function codeOf(code) {
  const copy = code.cloneNode(true);
  const prompts = copy.querySelectorAll(".gp");
  if (!prompts.length) return copy.textContent;
  prompts.forEach((prompt) => (prompt.textContent = "\0"));
  const typed = copy.textContent.split("\n").filter((line) => line.startsWith("\0"));
  return typed.map((line) => line.slice(1)).join("\n");
}

for (const block of document.querySelectorAll(".highlight")) {
  const code = block.querySelector("pre > code");
  if (!code || !navigator.clipboard) continue;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "handbook-copy";
  button.textContent = "Copy";
  const name = block.querySelector(".filename")?.textContent ?? "this code";
  button.setAttribute("aria-label", `Copy ${name}`);
  button.addEventListener("click", async () => {
    const copied = navigator.clipboard.writeText(codeOf(code));
    button.textContent = await copied.then(() => "Copied", () => "Not allowed");
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  block.append(button);
}

// What scrolls in its box can be reached by keyboard.
const reachable = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
document.querySelectorAll(".md-typeset :is(pre > code, table)").forEach((box) => reachable.observe(box));

// The search loads when its field is first used; "/" leads there.
const assets = new URL(".", document.currentScript.src);
const search = document.querySelector(".handbook-search");
search.addEventListener("submit", (event) => event.preventDefault());
search.addEventListener(
  "focusin",
  () => {
    const script = document.createElement("script");
    script.src = new URL("search.js", assets);
    document.head.append(script);
  },
  { once: true },
);
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.target.closest("input:not([type=radio], [type=checkbox]), select, textarea, [contenteditable]")) return;
  event.preventDefault();
  search.querySelector("input").select();
});

// Arrow keys turn the page, unless the key means something where it is pressed.
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.defaultPrevented) return;
  if (event.target.closest("input, select, textarea, [contenteditable], [tabindex='0'], summary, dialog")) return;
  const turn = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
  const link = turn && document.querySelector(`link[rel=${turn}]`);
  if (link) location.href = link.href;
});

// The menu closes by Escape, by a click beside it, and by following a link within the page.
const menu = document.querySelector(".handbook-menu");
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && menu.open) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
document.addEventListener("click", (event) => {
  if (!menu.contains(event.target) || event.target.closest("a")) menu.open = false;
});

// What an address points to is shown, and all that is folded is printed.
function unfold() {
  for (let one = document.querySelector(":target"); one; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
}
addEventListener("hashchange", unfold);
unfold();
addEventListener("beforeprint", () => {
  document.querySelectorAll("article details:not([open])").forEach((one) => {
    one.open = true;
    one.dataset.printed = "";
  });
});
addEventListener("afterprint", () => {
  document.querySelectorAll("[data-printed]").forEach((one) => {
    one.open = false;
    delete one.dataset.printed;
  });
});
