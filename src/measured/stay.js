// Keeps the reader at the text in view when a served page is loaded again: figures above it grow.
{
  const content = document.currentScript.parentElement;
  const name = `measured ${location.pathname}`;

  // Each piece of text with its place in the window. Equal ones are numbered.
  const places = () => {
    const counts = new Map();
    return [...content.querySelectorAll("h1, h2, h3, h4, p, li, pre")].map((piece) => {
      const text = piece.textContent;
      counts.set(text, (counts.get(text) ?? 0) + 1);
      return [`${counts.get(text)} ${text}`, piece.getBoundingClientRect()];
    });
  };

  addEventListener("pagehide", () => {
    const inView = places().filter(([, { top, bottom }]) => bottom > 0 && top < innerHeight);
    sessionStorage.setItem(name, JSON.stringify(inView));
  });

  const goBack = () => {
    const now = new Map(places());
    const kept = JSON.parse(sessionStorage.getItem(name) ?? "[]").find(([text]) => now.has(text));
    if (kept) scrollBy({ top: now.get(kept[0]).top - kept[1].top, behavior: "instant" });
  };

  // The browser itself goes back to the old distance from the top of the page, at the latest then.
  if (performance.getEntriesByType("navigation")[0]?.type === "reload")
    addEventListener("load", () => setTimeout(goBack));
}
