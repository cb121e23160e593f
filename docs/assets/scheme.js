// Before the page is drawn: the colours that the reader chose. Without a choice the system's hold.
document.documentElement.classList.replace("no-js", "js");
try {
  const chosen = localStorage.getItem("handbook-scheme");
  if (chosen) document.documentElement.dataset.scheme = chosen;
} catch {
  // no storage, no choice
}
