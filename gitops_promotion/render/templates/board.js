"use strict";
(() => {
  const form = document.forms[0];
  const fields = ["q", "group", "env", "state", "who", "order"];
  const orders = {
    "": (one, other) => one.place - other.place,
    urgent: (one, other) => one.rank - other.rank || one.place - other.place,
    newest: (one, other) => other.newest - one.newest || one.place - other.place,
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

  function matches(line, wanted, words) {
    if (wanted.group && line.group !== wanted.group) return false;
    if (wanted.who && !line.people.includes(wanted.who)) return false;
    if (words.some((word) => !line.words.includes(word))) return false;
    if (!wanted.env && !wanted.state) return true;
    return line.cells.some(
      ([env, state]) =>
        state && (!wanted.env || env === wanted.env) && (!wanted.state || state === wanted.state),
    );
  }

  function show() {
    const wanted = Object.fromEntries(fields.map((name) => [name, form.elements[name].value]));
    const words = wanted.q.toLowerCase().split(/\s+/).filter(Boolean);
    let number = 0;
    for (const line of lines) {
      const fits = matches(line, wanted, words);
      const isOpen = fits && line.key === opened;
      line.row.hidden = !fits;
      line.way.hidden = !isOpen;
      line.button.setAttribute("aria-expanded", String(isOpen));
      number += fits;
    }
    if (wanted.env !== shownEnvironment) {
      for (const cell of columns) cell.hidden = Boolean(wanted.env) && cell.dataset.env !== wanted.env;
      shownEnvironment = wanted.env;
    }
    if (wanted.order !== shownOrder) {
      const body = document.querySelector("tbody");
      for (const line of [...lines].sort(orders[wanted.order])) body.append(line.row, line.way);
      shownOrder = wanted.order;
    }
    for (const chip of chips) chip.setAttribute("aria-pressed", String(chip.dataset.state === wanted.state));
    const text = `${number} of ${lines.length} applications`;
    if (count.textContent !== text) count.textContent = text;
    const address = new URLSearchParams();
    for (const name of fields) if (wanted[name]) address.set(name, wanted[name]);
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
    const line = lines.find((each) => each.key === opened);
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
      const line = lines.find((each) => each.key === opened);
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
