"use strict";
// What a user does with the page: alerts come in, one of them is looked at. Whatever comes from a packet is set as text.

const WORDS = JSON.parse(document.getElementById("words").textContent);
const TRIES = 100, MOST_SHOWN = 500;
const at = (id) => document.getElementById(id);
const alerts = [];  // {source, body, answer, stamps, why}
let chosen = null, asking = null;

function percent(value, digits = 1) {
  return value === null || value === undefined ? "–" : `${(100 * value).toFixed(digits)} %`;
}

function count(n, name) {
  return `${n} ${name}${n === 1 ? "" : "s"}`;
}

const wait = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

// The number of an alert has more digits than a number of JavaScript: it stays text.
function parse(text) {
  return JSON.parse(text.replace(/"candid": ?(\d+)/g, '"candid":"$1"'));
}

// Post packets; asks again where the service has too much to do. Throws an Error with the service's own words.
async function post(path, body, signal) {
  for (let tries = 0; ; tries += 1) {
    const headers = { "Content-Type": "application/octet-stream" };
    const response = await fetch(path, { method: "POST", body, headers, signal });
    const text = await response.text();
    if (response.ok) return parse(text);
    const again = Number(response.headers.get("Retry-After"));
    let said = null;
    try {
      said = parse(text);
    } catch {
      said = { reason: `status ${response.status}`, detail: text.slice(0, 200) };
    }
    if (!again || tries >= TRIES) throw new Error(`${said.reason}: ${said.detail}`);
    at("status").textContent = said.reason === "not_ready" ? "The models are being made ready …" : "Much to do, waiting …";
    await wait(again);
  }
}

function question(asked) {
  return new URLSearchParams(Object.entries(asked).filter(([, value]) => value)).toString();
}

async function add(files) {
  const many = [...files], before = alerts.length, model = at("model").value;
  for (const [i, file] of many.entries()) {
    at("status").textContent = `Asking about ${file.name} (${i + 1} of ${many.length}) …`;
    try {
      const found = await post(`classify?${question({ model, trajectory: true })}`, file);
      for (const answer of found.answers) take({ source: file.name, body: file, model, answer, stamps: null, why: null });
      for (const one of found.rejected) trouble(file.name, `${one.objectId ?? ""} ${one.reason}: ${one.detail}`);
    } catch (error) {
      trouble(file.name, error.message);
    }
    if (chosen === null && alerts.length) choose(alerts[0]);
  }
  const n = alerts.length - before;
  at("status").textContent = n || many.length ? `${count(n, "alert")} of ${count(many.length, "file")} answered.` : "";
  if (n && before) choose(alerts[before]);
}

function trouble(source, text) {
  at("alerts").hidden = false;
  at("troubles").append(make("p", { class: "trouble" }, make("strong", {}, source), ` ${text}`));
}

function dot(name) {
  const made = make("span", { class: "dot" });
  made.style.background = WORDS.classColours[name] ?? "#7F7F7F";
  return made;
}

function take(one) {
  alerts.push(one);
  at("alerts").hidden = false;
  if (alerts.length > MOST_SHOWN) return;
  const { answer } = one, name = answer["class"];
  const button = make("button", { type: "button" }, answer.objectId);
  const cells = [button, time(answer.jd, 10), [dot(name), name], percent(answer.probabilities[name]), answer.n_detections, answer.n_limits,
    percent(answer.outlier)];
  one.row = make("tr", {}, ...cells.map((cell) => make("td", {}, ...[cell].flat())));
  one.row.title = `candid ${answer.candid}, ${one.source}`;
  one.row.addEventListener("click", () => choose(one, true));
  at("table").tBodies[0].append(one.row);
}

function choose(one, isAsked = false) {
  chosen?.row?.classList.remove("chosen");
  chosen?.row?.querySelector("button").removeAttribute("aria-current");
  chosen = one;
  one.row?.classList.add("chosen");
  one.row?.querySelector("button").setAttribute("aria-current", "true");
  at("detail").hidden = false;
  showAnswer(one);
  showStamps(one);
  showWhy(one);
  if (isAsked) at("detail").scrollIntoView({ block: "nearest" });
  explain(one);
}

async function explain(one) {
  asking?.abort();
  if (one.why) return;
  asking = new AbortController();
  at("whystatus").textContent = "Asking what the answer rests on …";
  try {
    const { candid } = one.answer, { signal } = asking;
    one.stamps ??= (await post(`stamps?${question({ candid })}`, one.body, signal)).stamps;
    if (chosen === one) showStamps(one);
    one.why = await post(`explain?${question({ model: one.model, candid })}`, one.body, signal);
    if (chosen === one) showWhy(one);
  } catch (error) {
    if (error.name !== "AbortError" && chosen === one) at("whystatus").textContent = error.message;
  }
}

function time(jd, length) {
  return new Date((jd - 2440587.5) * 864e5).toISOString().slice(0, length).replace("T", " ");
}

function facts(answer) {
  const told = `${count(answer.n_detections, "detection")} and ${count(answer.n_limits, "upper limit")}`;
  const parts = [`Alert ${answer.candid} of ${time(answer.jd, 16)} UT, with ${told}.`];
  if (answer.subclass) parts.push(`Most likely ${answer.subclass} (${percent(answer.subclass_probability, 0)}).`);
  if (answer.missing.length) parts.push(`Missing: ${answer.missing.join(", ").replaceAll("_", " ")}.`);
  if (answer.outlier !== null) parts.push(`More unusual than ${percent(answer.outlier)} of held-out alerts.`);
  if (answer.note) parts.push(`Note: ${answer.note}.`);
  return [...parts, `By ${answer.model} ${answer.classifier_version}.`].join(" ");
}

function showAnswer({ answer }) {
  const name = answer["class"];
  at("name").textContent = answer.objectId;
  at("headline").textContent = `${name} ${percent(answer.probabilities[name])}`;
  at("facts").textContent = facts(answer);
  const bars = Object.entries(answer.probabilities).flatMap(([one, p]) => {
    const fill = make("span", { class: "fill" });
    fill.style.width = `${100 * p}%`;
    fill.style.background = WORDS.classColours[one] ?? "#7F7F7F";
    return [make("span", {}, one), make("span", { class: "track", "aria-hidden": "true" }, fill), make("span", {}, percent(p))];
  });
  at("bars").replaceChildren(...bars);
  const classes = Object.keys(answer.probabilities), width = widthOf("course");
  at("course").replaceChildren(...course(answer.trajectory, classes, WORDS, width, (i) => read(answer, i)));
  showRows(answer, classes);
}

// A row in words, which are also shown.
function read(answer, index) {
  const step = answer.trajectory[index], ago = step.jd - answer.jd;
  const when = index === answer.trajectory.length - 1 ? "The alert" : `${(-ago).toFixed(2)} days before`;
  const error = step.magnitude_error === null ? "" : ` ± ${step.magnitude_error.toFixed(2)}`;
  const seen = step.magnitude === null ? "not given" : `${step.magnitude.toFixed(2)}${error} mag`;
  const side = step.is_positive === null ? "" : step.is_positive ? ", brighter than the reference" : ", fainter than the reference";
  const what = step.kind === "limit" ? "not seen, limit" : "seen,";
  const likely = Object.entries(step.probabilities ?? {}).sort(([, p], [, q]) => q - p).slice(0, 3);
  const said = likely.length ? likely.map(([name, p]) => `${name} ${percent(p)}`).join(", ") : "nothing to classify yet";
  const text = `${when}: ${what} ${step.filter ?? "filter unknown"} ${seen}${side}. After it: ${said}.`;
  at("readout").textContent = text;
  return text;
}

function showRows(answer, classes) {
  const head = ["days", "row", "filter", "magnitude", ...classes].map((text) => make("th", { scope: "col" }, text));
  const rows = answer.trajectory.map((step) => {
    const magnitude = step.magnitude === null ? "–" : step.magnitude.toFixed(2);
    const sign = step.is_positive === false ? " (fainter)" : "";
    const cells = [(step.jd - answer.jd).toFixed(2).replace("-", "−"), step.kind + sign, step.filter ?? "–", magnitude,
      ...classes.map((name) => percent(step.probabilities?.[name]))];
    return make("tr", {}, ...cells.map((text) => make("td", {}, text)));
  });
  at("rows").replaceChildren(make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows)));
}

function picture({ channel, png, shade_png }, text, caption = channel) {
  const found = [make("img", { alt: text, src: `data:image/png;base64,${png}` })];
  if (shade_png) found.push(make("img", { alt: "", class: "over", src: `data:image/png;base64,${shade_png}` }));
  return make("figure", {}, ...found, make("figcaption", {}, caption));
}

function showStamps({ stamps }) {
  at("stamps").replaceChildren(...(stamps?.map((one) => picture(one, `${one.channel} stamp`)) ?? blanks()));
}

function showWhy({ answer, why }) {
  const name = answer["class"], hidden = why?.hidden;
  at("whystatus").textContent = why ? WORDS.notTheTruth : "";
  at("parts").replaceChildren(...(why?.parts.length ? [partsFigure(why.parts, name, widthOf("parts"))] : []));
  at("partstext").textContent = why?.parts.length ? WORDS.without.replaceAll("{name}", name) : "";
  at("images").hidden = !hidden;
  if (!hidden) return;
  const drops = hidden.images.map((one) => [one, `${one.channel}: ${percent(one.largest_drop)} at most`]);
  at("hidden").replaceChildren(...drops.map(([one, text]) => picture(one, text, text)));
  at("scale").replaceChildren(shades(hidden.scale));
  at("hiddentext").textContent = WORDS.hidden.replaceAll("{name}", name);
}

function blanks() {
  return ["science", "template", "difference"].map((name) => {
    const blank = draw("svg", { viewBox: "0 0 63 63", "aria-hidden": "true" },
      draw("rect", { width: 63, height: 63, fill: "var(--faint)" }));
    return make("figure", {}, blank, make("figcaption", {}, name));
  });
}

function shades(most) {
  const stops = [["0%", "#2166AC"], ["50%", "#F7F7F7"], ["100%", "#B2182B"]].map(([offset, colour]) =>
    draw("stop", { offset, "stop-color": colour }));
  const bar = draw("svg", { viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" },
    draw("linearGradient", { id: "shade" }, ...stops), draw("rect", { width: 100, height: 4, fill: "url(#shade)" }));
  const end = percent(most), words = [`rises by ${end}`, bar, `falls by ${end}`];
  return make("div", { class: "shades" }, ...words);
}

function widthOf(id) {
  return Math.max(300, Math.min(at(id).clientWidth || 640, 960));
}

async function begin() {
  at("curl").textContent = `curl --data-binary @ALERT.avro ${location.origin}/classify`;
  at("files").addEventListener("change", (event) => add(event.target.files).then(() => (event.target.value = "")));
  at("example").addEventListener("click", async () => {
    at("status").textContent = "Simulating alerts …";
    const response = await fetch("example");
    if (response.ok) add([new File([await response.blob()], "simulated alerts")]);
    else at("status").textContent = `No simulated alerts: status ${response.status}`;
  });
  for (const name of ["dragover", "dragleave", "drop"])
    window.addEventListener(name, (event) => {
      event.preventDefault();
      at("drop").classList.toggle("over", name === "dragover");
      if (name === "drop" && event.dataTransfer.files.length) add(event.dataTransfer.files);
    });
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (chosen === null || window.innerWidth === width) return;
    width = window.innerWidth;
    showAnswer(chosen);
    if (chosen.why) showWhy(chosen);
  });
  const { models } = await (await fetch("models")).json();
  at("model").append(...models.map(({ name }) => make("option", { value: name }, name)));
  at("choice").hidden = models.length < 2;
}

begin();
