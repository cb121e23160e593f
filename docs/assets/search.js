// The search: loaded when its field is first used, and with it MiniSearch and the index of the site.

(() => {
  const assets = new URL(".", document.currentScript.src);
  const site = new URL("..", assets);
  const form = document.querySelector(".handbook-search");
  const field = form.querySelector("input");
  const panel = form.querySelector(".handbook-found");
  const status = panel.querySelector("[role=status]");
  const list = panel.querySelector("[role=listbox]");
  const MOST = 8; // pages shown
  const onDisk = location.protocol === "file:";

  // Words that readers use for each other.
  const SYNONYMS = [
    "hang freeze freezes stuck block deadlock stall forever never unresponsive",
    "limit cap ceiling maximum max bound bounded throttle restrict",
    "kill stop terminate cancel abort end interrupt quit exit",
    "ctrl keyboardinterrupt sigint signal",
    "crash die dead died killed segfault broken",
    "oom memory ram",
    "core cpu processor",
    "error exception failure fail raise traceback",
    "result return answer outcome output value",
    "slow slower performance speed fast faster speedup",
    "thread multithreading multithread threading threaded",
    "process multiprocessing multiprocess",
    "async asyncio await coroutine asynchronous",
    "loop eventloop",
    "subprocess popen command program shell",
    "pickle unpicklable serialize serialise picklable",
    "share common global",
    "dict dictionary",
    "array numpy ndarray dataframe buffer",
    "race unsafe inconsistent wrong lost",
    "lock mutex",
    "timeout deadline",
    "concurrent concurrency parallel parallelism simultaneous simultaneously",
    "pool executor threadpool threadpoolexecutor processpoolexecutor",
    "worker pool",
    "http request url download fetch api",
    "container docker kubernetes cgroup",
    "retry backoff reattempt",
    "queue pipe message",
    "order ordered sequence",
    "first fastest race winner",
    "background daemon",
    "periodic periodically every interval timer schedule",
    "cost overhead price expensive",
    "choose choice pick decide versus vs which better difference",
    "progress tqdm completed",
    "jupyter notebook ipython",
    "gil nogil",
    "sync synchronous blocking",
    "cluster machine machines distributed node",
  ];
  const STOP = new Set(
    ("a about am an and any are as at be been but by can cannot could did do does doing don doesn for from " +
      "get has have how i if in into is isn it its me my no not of on one or python s so t than that the their " +
      "them then there this to use used using using was we what when where who why will with without won " +
      "work works would you your").split(" "),
  );

  // "stopping", "stops" and "stopped" are "stop".
  function stem(word) {
    if (word.length > 5 && word.endsWith("ies")) return word.slice(0, -3) + "y";
    const cut = word.replace(/(?<=...)(ing|ed|es|s)$/, (end, _, place) => (word[place - 1] === "s" && end === "s" ? end : ""));
    return cut.replace(/(?<=..)([^aeiouls])\1$/, "$1").replace(/(?<=...)e$/, "");
  }
  const normal = (word) => (STOP.has(word) ? null : stem(word));

  // Words, and the parts of names such as `as_completed` and `ThreadPoolExecutor`.
  function wordsOf(text) {
    const found = [];
    for (const name of text.match(/[\p{L}\p{N}_]+/gu) ?? []) {
      const parts = name.replace(/(\p{Ll})(\p{Lu})/gu, "$1_$2").toLowerCase().split("_").filter(Boolean);
      found.push(...parts);
      if (parts.length > 1) found.push(parts.join(""));
    }
    return found;
  }

  const related = new Map();
  for (const group of SYNONYMS) {
    const words = group.split(" ").map(stem);
    for (const word of words) related.set(word, [...(related.get(word) ?? []), ...words]);
  }

  function addScript(address) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = address;
      script.onload = resolve;
      script.onerror = () => reject(new Error(`${address} cannot be loaded`));
      document.head.append(script);
    });
  }

  // From disk nothing can be fetched; the archive of the site holds the index as a script too.
  async function loadIndex() {
    if (onDisk) {
      await addScript(new URL("search/search_index.js", site));
      return window.searchIndex;
    }
    const answer = await fetch(new URL("search/search_index.json", site));
    if (!answer.ok) throw new Error(`${answer.url}: ${answer.status}`);
    return answer.json();
  }

  // On disk a folder does not stand for its page.
  function addressOf(place) {
    const [folder, section] = place.split("#");
    return new URL(folder + (onDisk ? "index.html" : "") + (section ? `#${section}` : ""), site).href;
  }

  const plain = (text) =>
    new DOMParser().parseFromString(text.replace(/<(pre|table|figure|svg)\b.*?<\/\1>/gs, " "), "text/html").body.textContent;

  // The pages, each with its sections, and what finds them.
  async function prepare() {
    const [index] = await Promise.all([loadIndex(), addScript(new URL("minisearch.js", assets))]);
    const pages = new Map();
    const sections = [];
    for (const { location: place, title, text, tags } of index.docs) {
      const address = place.split("#")[0];
      const words = index.config.condensed ? text : plain(text);
      if (address === place) {
        const lead = words.match(/^.*?[.!?](?=\s|$)/s)?.[0] ?? "";
        const topic = address.replace(/[/_]/g, " ");
        pages.set(address, { id: address, title: plain(title), lead, topic, tags: (tags ?? []).join("; "), text: words, headings: "" });
      } else {
        const page = pages.get(address);
        page.headings += ` ${plain(title)}`;
        page.text += ` ${words}`;
        sections.push({ id: place, page: address, title: plain(title), text: words });
      }
    }
    const common = { tokenize: wordsOf, processTerm: normal };
    const byPage = new MiniSearch({ ...common, fields: ["title", "tags", "topic", "lead", "headings", "text"] });
    byPage.addAll([...pages.values()]);
    const bySection = new MiniSearch({ ...common, fields: ["title", "text"], storeFields: ["page", "title"] });
    bySection.addAll(sections);
    return { pages, byPage, bySection };
  }

  // Each word counts, its beginning counts, what it means counts less.
  function queryOf(words) {
    return {
      combineWith: "OR",
      queries: words.map((word, place) => {
        const others = (related.get(word) ?? []).filter((other) => other !== word);
        return {
          combineWith: "OR",
          queries: [
            { queries: [word], prefix: place === words.length - 1 || word.length > 4, fuzzy: word.length > 4 ? 0.2 : false },
            { queries: others, boostTerm: () => 0.6 / others.length },
          ],
        };
      }),
    };
  }

  function find(text, { pages, byPage, bySection }) {
    const words = [...new Set(wordsOf(text).map(normal).filter(Boolean))];
    if (!words.length) return [];
    const options = { processTerm: (term) => term, tokenize: (term) => [term] };
    const boost = { title: 3, tags: 4, topic: 3, lead: 2, headings: 1.5, text: 1 };
    const found = byPage.search(queryOf(words), { ...options, boost, weights: { fuzzy: 0.3, prefix: 0.5 } }).slice(0, MOST);
    // A section is named where its title has words of the query.
    const within = bySection.search(queryOf(words), { ...options, boost: { title: 4 } });
    return found.map(({ id }) => {
      const page = pages.get(id);
      const best = within.find((section) => section.page === id && words.some((word) => section.match[word]?.includes("title")));
      return { page, address: addressOf(best?.id ?? id), section: best?.title };
    });
  }

  let prepared;
  let answered; // what was typed last
  let typed = 0;
  let active = -1;

  function show(message, results = []) {
    status.textContent = message;
    active = -1;
    field.removeAttribute("aria-activedescendant");
    list.replaceChildren(
      ...results.map(({ page, address, section }, place) => {
        const option = document.createElement("a");
        Object.assign(option, { id: `search-found-${place}`, href: address, role: "option", tabIndex: -1 });
        option.setAttribute("aria-selected", "false");
        const line = (kind, text) => Object.assign(document.createElement("span"), { className: kind, textContent: `${text} ` });
        option.append(line("handbook-found-page", page.title));
        if (section && section !== page.title) option.append(line("handbook-found-section", section));
        option.append(line("handbook-found-lead", page.lead));
        return option;
      }),
    );
    open(message !== "");
  }

  function open(wanted) {
    panel.classList.toggle("handbook-shut", !wanted);
    list.hidden = !wanted;
    field.setAttribute("aria-expanded", String(wanted && list.children.length > 0));
  }

  function choose(place) {
    const options = [...list.children];
    active = (place + options.length) % options.length;
    options.forEach((option, number) => option.setAttribute("aria-selected", String(number === active)));
    options[active].scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", options[active].id);
  }

  async function search() {
    const now = ++typed;
    const text = field.value.trim();
    if (!text) return show("");
    let ready;
    try {
      ready = await (prepared ??= prepare());
    } catch {
      prepared = undefined;
    }
    if (now !== typed) return;
    if (!ready) return show(`The search ${onDisk ? "does not work from disk" : "could not be loaded"}.`);
    const results = find(text, ready);
    const count = results.length === 1 ? "1 page" : `${results.length} pages`;
    show(results.length ? count : "No page has these words.", results);
  }

  field.addEventListener("input", () => (answered = search()));
  field.addEventListener("focus", () => open(field.value.trim() !== "" && status.textContent !== ""));
  form.addEventListener("focusout", (event) => {
    if (!form.contains(event.relatedTarget)) open(false);
  });
  field.addEventListener("keydown", (event) => {
    const move = { ArrowDown: active + 1, ArrowUp: active < 0 ? -1 : active - 1 }[event.key];
    if (move !== undefined && list.children.length) {
      event.preventDefault();
      open(true);
      choose(move);
    } else if (event.key === "Escape") {
      event.preventDefault();
      if (list.hidden) field.value = "";
      open(false);
    }
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    await answered;
    list.children[Math.max(active, 0)]?.click();
  });
  // A result on this very page leaves it where it is, so the list closes.
  list.addEventListener("click", () => open(false));

  prepared = prepare();
  prepared.catch(() => {}); // told when something is typed
  if (field.value) answered = search();
})();
