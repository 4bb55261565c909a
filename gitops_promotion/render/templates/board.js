"use strict";
(() => {
  const form = document.forms[0];
  const fields = ["q", "group", "env", "state", "who", "order"];
  const orders = {
    "": (a, b) => a.place - b.place,
    urgent: (a, b) => a.rank - b.rank || a.place - b.place,
    newest: (a, b) => b.newest - a.newest || a.place - b.place,
  };
  const lines = [...document.querySelectorAll("tr.line")].map((row, place) => ({
    row,
    place,
    rank: Number(row.dataset.rank),
    newest: Number(row.dataset.newest),
    way: row.nextElementSibling,
    button: row.querySelector("th button"),
    key: row.dataset.key,
    group: row.dataset.group,
    words: row.dataset.words,
    people: JSON.parse(row.dataset.people),
    cells: [...row.querySelectorAll("td")].map((cell) => [cell.dataset.env, cell.dataset.state]),
  }));
  const columns = [...document.querySelectorAll("thead [data-env], tr.line > td")];
  const count = document.getElementById("count");
  const chips = [...document.querySelectorAll(".summary button")];
  let opened = "";
  let shownEnvironment = "";
  let shownOrder = "";

  function matches(line, filters, words) {
    if (filters.group && line.group !== filters.group) return false;
    if (filters.who && !line.people.includes(filters.who)) return false;
    if (words.some((word) => !line.words.includes(word))) return false;
    if (!filters.env && !filters.state) return true;
    return line.cells.some(
      ([env, state]) =>
        state && (!filters.env || env === filters.env) && (!filters.state || state === filters.state),
    );
  }

  function show() {
    const filters = Object.fromEntries(fields.map((name) => [name, form.elements[name].value]));
    const words = filters.q.toLowerCase().split(/\s+/).filter(Boolean);
    let number = 0;
    for (const line of lines) {
      const fits = matches(line, filters, words);
      const isOpen = fits && line.key === opened;
      line.row.hidden = !fits;
      line.way.hidden = !isOpen;
      line.button.setAttribute("aria-expanded", String(isOpen));
      number += fits;
    }
    if (filters.env !== shownEnvironment) {
      for (const cell of columns) cell.hidden = Boolean(filters.env) && cell.dataset.env !== filters.env;
      shownEnvironment = filters.env;
    }
    if (filters.order !== shownOrder) {
      const body = document.querySelector("tbody");
      for (const line of [...lines].sort(orders[filters.order])) body.append(line.row, line.way);
      shownOrder = filters.order;
    }
    for (const chip of chips) chip.setAttribute("aria-pressed", String(chip.dataset.state === filters.state));
    const text = `${number} of ${lines.length} applications`;
    if (count.textContent !== text) count.textContent = text;
    const address = new URLSearchParams();
    for (const name of fields) if (filters[name]) address.set(name, filters[name]);
    if (opened) address.set("open", opened);
    const fragment = address.toString();
    if (fragment !== location.hash.slice(1)) history.replaceState(null, "", fragment ? `#${fragment}` : "#");
  }

  function read() {
    const address = new URLSearchParams(location.hash.slice(1));
    for (const name of fields) {
      const field = form.elements[name];
      field.value = address.get(name) || "";
      if (field.selectedIndex === -1) field.value = "";
    }
    opened = address.get("open") || "";
    show();
    const line = lines.find((candidate) => candidate.key === opened);
    if (line) line.row.scrollIntoView();
  }

  function tellAge() {
    const made = document.getElementById("made");
    const minutes = Math.max(0, Math.round((Date.now() - Date.parse(made.dateTime)) / 60000));
    const [amount, unit] =
      minutes < 60 ? [minutes, "minute"] : minutes < 2880 ? [Math.round(minutes / 60), "hour"] : [Math.round(minutes / 1440), "day"];
    made.title = made.title || made.textContent;
    made.textContent = minutes < 1 ? "now" : `${amount} ${unit}${amount === 1 ? "" : "s"} ago`;
    made.parentElement.classList.toggle("old", minutes > 1440);
  }

  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => {
    opened = "";
    setTimeout(show);
  });
  for (const line of lines) {
    line.button.addEventListener("click", () => {
      opened = opened === line.key ? "" : line.key;
      show();
    });
  }
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      const state = form.elements.state;
      state.value = state.value === chip.dataset.state ? "" : chip.dataset.state;
      show();
    });
  }
  document.addEventListener("keydown", (event) => {
    const isTyping = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      form.elements.q.focus();
    } else if (event.key === "Escape" && opened && !isTyping) {
      const line = lines.find((candidate) => candidate.key === opened);
      opened = "";
      show();
      if (line) line.button.focus();
    }
  });
  addEventListener("hashchange", read);
  tellAge();
  setInterval(tellAge, 60000);
  read();
})();
