// The page's behaviour: charts, the scheme that is looked at, the film, the table, and what is copied.
const page = JSON.parse(document.getElementById("data").textContent);
const find = (selector) => document.querySelector(selector);
const all = (selector) => [...document.querySelectorAll(selector)];
const views = {};
let scheme = page.scheme;

// Charts. One that holds several panels is not told its width by Vega-Lite, but by us.
const place = (name) => find(`[data-chart="${name}"]`);
function sized(spec, width) {
  const copy = structuredClone(spec);
  if (copy.vconcat) {
    const known = (field) => copy.data.values.some((fact) => fact.name === scheme && fact[field] != null);
    copy.vconcat = copy.vconcat.filter((panel) => known(panel.encoding.y.field));
    for (const panel of copy.vconcat) panel.width = Math.max(200, width - 56);
  }
  if (width < 560) {
    Object.assign(copy.config.axis, { labelFontSize: 10, labelLimit: 175 }); // whole names of schemes
    copy.config.legend.columns = 1;
    copy.config.legend.gradientLength = 120;
  }
  if (copy.facet) copy.spec.width = Math.max(200, width - 90);
  for (const parameter of copy.params ?? []) parameter.value = { scheme, now }[parameter.name];
  return copy;
}
async function draw(name, spec) {
  const element = place(name);
  if (!element || !spec) return;
  views[name]?.finalize();
  const options = { renderer: "svg", actions: false, tooltip: { theme: "custom" } };
  const { view } = await vegaEmbed(element, sized(spec, element.clientWidth), options);
  views[name] = view;
  view.addEventListener("click", (_, item) => item?.datum?.name && look(item.datum.name));
  tell(view);
}
function tell(view) {
  for (const [signal, value] of [["scheme", scheme], ["now", now]]) {
    try { view.signal(signal, value); } catch { /* this chart has no such signal */ }
  }
  view.runAsync();
}
const fidelity = () => page.charts.fidelity[`${find("#cost")?.value}|${find("#measure")?.value}`];
let now = -1;
let drawn = 0;
function drawAll() {
  drawn = document.body.clientWidth;
  draw("fidelity", fidelity());
  for (const [name, spec] of Object.entries(page.charts)) if (name !== "fidelity") draw(name, spec);
}
for (const select of all("#cost, #measure")) select.addEventListener("change", () => draw("fidelity", fidelity()));
addEventListener("resize", () => Math.abs(document.body.clientWidth - drawn) > 40 && drawAll());
for (const button of all("[data-zoom]")) {
  button.addEventListener("click", () => {
    const factor = Number(button.dataset.zoom), view = views.fidelity;
    if (!factor) return draw("fidelity", fidelity());
    for (const [axis, signal] of [["x", "zoom_x"], ["y", "zoom_y"]]) {
      const [low, high] = view.scale(axis).domain();
      const log = view.scale(axis).type === "log";
      const [a, b] = log ? [Math.log(low), Math.log(high)] : [low, high];
      const middle = (a + b) / 2, reach = ((b - a) / 2) * factor;
      view.signal(signal, [middle - reach, middle + reach].map((value) => (log ? Math.exp(value) : value)));
    }
    view.runAsync();
  });
}

// The scheme that is looked at: chosen in the list, in the table, or at a point.
function look(name) {
  const select = find("#scheme");
  if (select && ![...select.options].some((option) => option.value === name)) return;
  scheme = name;
  if (select) select.value = name;
  for (const row of all("tr[data-scheme]")) row.classList.toggle("looked", row.dataset.scheme === name);
  for (const text of all(".by-scheme")) text.hidden = text.dataset.scheme !== name;
  Object.values(views).forEach(tell);
  draw("panels", page.charts.panels);
  show();
}
find("#scheme")?.addEventListener("change", (event) => look(event.target.value));

// The film: a frame under every scheme in turn. Two players stand on it; what they show is drawn on two canvases, one
// above the other, since a canvas prints and a player does not.
const film = page.film;
const canvases = film ? ["#left", "#right"].map(find) : [];
const players = canvases.map((canvas) => {
  const player = Object.assign(document.createElement("video"), { muted: true, playsInline: true, preload: "auto" });
  canvas.player = player;
  player.addEventListener("seeked", () => canvas.getContext("2d").drawImage(player, 0, 0, canvas.width, canvas.height));
  return player;
});
const wanted = new Map();
function seek(player, time) {
  wanted.set(player, time);
  if (player.readyState > 0 && !player.seeking && Math.abs(player.currentTime - time) > 1e-3) player.currentTime = time;
}
function show() {
  if (!film) return;
  const frame = Number(find("#scrubber").value);
  const right = Math.max(0, film.schemes.indexOf(scheme));
  const time = (row) => (frame * film.schemes.length + row + 0.5) / film.rate;
  seek(players[0], time(film.base));
  seek(players[1], time(right));
  find("#tag").textContent = film.schemes[right];
  const facts = `${film.frames[frame]}: ${film.facts[frame][right]}`;
  find("#facts").textContent = facts;
  find("#scrubber").setAttribute("aria-valuetext", facts);
  now = film.at[frame];
  if (views.frames) tell(views.frames);
}
if (film) {
  const bytes = Uint8Array.from(atob(find("#film").textContent), (letter) => letter.charCodeAt(0));
  const url = URL.createObjectURL(new Blob([bytes], { type: "video/webm" }));
  for (const player of players) {
    player.src = url;
    for (const event of ["loadedmetadata", "seeked"]) player.addEventListener(event, () => seek(player, wanted.get(player)));
  }
  const screen = find("#screen"), slider = find("#divider");
  const divide = () => screen.style.setProperty("--at", `${slider.value}%`);
  slider.addEventListener("input", divide);
  const drag = (event) => {
    const box = screen.getBoundingClientRect();
    slider.value = (100 * (event.clientX - box.left)) / box.width;
    divide();
  };
  screen.addEventListener("pointerdown", (event) => { screen.setPointerCapture(event.pointerId); drag(event); });
  screen.addEventListener("pointermove", (event) => screen.hasPointerCapture(event.pointerId) && drag(event));
  find("#scrubber").addEventListener("input", show);
  divide();
  for (const thumb of all(".thumb")) {
    thumb.addEventListener("click", () => {
      find("#scrubber").value = thumb.dataset.frame;
      look(thumb.dataset.scheme);
      screen.scrollIntoView({ block: "nearest" });
    });
  }
  find("#scrubber").value = find(".thumb")?.dataset.frame ?? 0;
}

// Sort the table by the heading that is clicked; a second click turns the order round.
for (const button of all("th button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th"), column = head.cellIndex;
    const first = button.dataset.first === "down" ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === first ? other : first;
    for (const th of head.parentNode.children) th.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const key = (row) => row.cells[column].dataset.value;
    const compare = (a, b) => {
      if (key(a) === undefined || key(b) === undefined) return (key(a) === undefined) - (key(b) === undefined);
      return sign * (button.dataset.first === "text" ? key(a).localeCompare(key(b)) : key(a) - key(b));
    };
    const body = head.closest("table").tBodies[0];
    body.append(...[...body.rows].sort(compare));
  });
}

// Copy what stands in a box. A page that came from a file or over plain HTTP may have no clipboard: then select it.
for (const button of all("[data-copy]")) {
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(source);
      button.textContent = "selected: Ctrl+C";
    }
    setTimeout(() => { button.textContent = "copy"; }, 2000);
  });
}

drawAll();
look(scheme);
