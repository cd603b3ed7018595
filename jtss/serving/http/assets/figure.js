"use strict";
// Drawings of one answer, as SVG of the width that there is. They set no text but by textContent.

const HEIGHTS = { upper: 230, gap: 26, lower: 190 };
const MARGIN = { left: 56, right: 14, top: 10, bottom: 44 };

function draw(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function scale(low, high, from, to) {
  return (value) => from + ((value - low) / (high - low)) * (to - from);
}

// Round numbers between two, about as many as asked for.
function ticks(low, high, count) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough * 0.999);
  const first = Math.ceil(low / step - 1e-9), last = Math.floor(high / step + 1e-9);
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  return Array.from({ length: last - first + 1 }, (_, i) => {
    const value = (first + i) * step;
    return { value, text: value.toFixed(digits).replace("-", "−") };
  });
}

function spread(values, least, margin) {
  const low = Math.min(...values), high = Math.max(...values), extra = Math.max(least - (high - low), 0) / 2;
  const around = Math.max(high - low, least) * margin;
  return [low - extra - around, high + extra + around];
}

// The sign of a row: filled where the object is brighter than in the reference image, open where fainter or not said.
function sign(step, x, y, colour, size = 1) {
  const fill = step.kind !== "limit" && step.is_positive ? colour : "none";
  const look = { fill, stroke: colour, "stroke-width": 1.6 };
  if (step.kind === "limit") {
    const r = 4 * size;
    return draw("path", { ...look, d: `M${x - r} ${y - r}H${x + r}L${x} ${y + r}Z`, "stroke-width": 1.2 });
  }
  if (step.kind === "detection") return draw("circle", { ...look, cx: x, cy: y, r: 4.2 * size });
  const points = Array.from({ length: 10 }, (_, i) => {
    const r = (i % 2 ? 4.2 : 10) * size, angle = (Math.PI * i) / 5;
    return `${(x + r * Math.sin(angle)).toFixed(1)},${(y - r * Math.cos(angle)).toFixed(1)}`;
  });
  return draw("polygon", { ...look, points: points.join(" ") });
}

function legendEntry(picture, text) {
  const entry = make("span"), small = draw("svg", { viewBox: "-8 -8 16 16", "aria-hidden": "true" }, picture);
  entry.append(small, text);
  return entry;
}

function axis(plot, box, y, marks, label, unit) {
  for (const { value, text } of marks) {
    const at = y(value);
    plot.append(
      draw("line", { class: "grid", x1: box.left, x2: box.right, y1: at, y2: at }),
      draw("text", { class: "small", x: box.left - 7, y: at + 4, "text-anchor": "end" }, text));
  }
  const middle = (box.top + box.bottom) / 2;
  plot.append(
    draw("text", { x: 14, y: middle, "text-anchor": "middle", transform: `rotate(-90 14 ${middle})` }, `${label} [${unit}]`),
    draw("line", { class: "axis", x1: box.left, x2: box.left, y1: box.top, y2: box.bottom }));
}

function days(plot, upper, lower, x, marks) {
  for (const { value, text } of marks) {
    const at = x(value);
    for (const box of [upper, lower])
      plot.append(draw("line", { class: "grid", x1: at, x2: at, y1: box.top, y2: box.bottom }));
    plot.append(draw("text", { class: "small", x: at, y: lower.bottom + 17, "text-anchor": "middle" }, text));
  }
  const middle = (lower.left + lower.right) / 2;
  plot.append(draw("text", { x: middle, y: lower.bottom + 37, "text-anchor": "middle" }, "days from the alert"));
}

// The light curve, magnitude upside down, and under the same time the probabilities after each row.
// `look(index)` is told which row is looked at.
function course(steps, classes, words, width, look) {
  const jd = steps.at(-1).jd, at = steps.map((step) => step.jd - jd);
  const upper = { left: MARGIN.left, right: width - MARGIN.right, top: MARGIN.top, bottom: MARGIN.top + HEIGHTS.upper };
  const lower = { ...upper, top: upper.bottom + HEIGHTS.gap, bottom: upper.bottom + HEIGHTS.gap + HEIGHTS.lower };
  const height = lower.bottom + MARGIN.bottom;
  const first = Math.min(...at), reach = Math.max(-first, 1);
  const x = scale(first < -0.5 ? first - 0.03 * reach : -1, 0.04 * reach, upper.left + 6, upper.right - 6);
  const plot = draw("svg", { class: "plot", viewBox: `0 0 ${width} ${height}`, tabindex: "0", role: "slider",
    "aria-label": "Light curve and probabilities, row by row", "aria-valuemin": 1, "aria-valuemax": steps.length });
  const seen = steps.map((step) => step.magnitude).filter((value) => value !== null);
  const [bright, faint] = spread(seen.length ? seen : [20], 0.8, 0.09);
  const magnitude = scale(bright, faint, upper.top, upper.bottom);
  const percent = scale(-3, 103, lower.bottom, lower.top);
  days(plot, upper, lower, x, ticks(first < -0.5 ? first : -1, 0, width < 500 ? 4 : 7));
  axis(plot, upper, magnitude, ticks(bright, faint, 5), "magnitude", "mag");
  axis(plot, lower, percent, ticks(0, 100, 4), "probability", "%");
  const cursor = draw("line", { class: "cursor", y1: upper.top, y2: lower.bottom });
  plot.append(cursor);
  points(plot, steps, at, x, magnitude, words.filterColours);
  const likely = lines(plot, steps, at, classes, x, percent, words);
  const ring = draw("circle", { class: "mark", r: 13 });
  plot.append(ring);
  let chosen = steps.length - 1;
  function choose(index) {
    chosen = Math.max(0, Math.min(steps.length - 1, index));
    const place = x(at[chosen]), level = steps[chosen].magnitude;
    cursor.setAttribute("x1", place);
    cursor.setAttribute("x2", place);
    ring.setAttribute("cx", place);
    ring.setAttribute("cy", level === null ? -99 : magnitude(level));
    plot.setAttribute("aria-valuenow", chosen + 1);
    plot.setAttribute("aria-valuetext", look(chosen));
  }
  plot.addEventListener("keydown", (event) => {
    const to = { ArrowLeft: chosen - 1, ArrowDown: chosen - 1, ArrowRight: chosen + 1, ArrowUp: chosen + 1,
      Home: 0, End: steps.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    choose(to);
  });
  const nearest = (event) => {
    const box = plot.getBoundingClientRect(), px = ((event.clientX - box.left) / box.width) * width;
    const py = ((event.clientY - box.top) / box.height) * height;
    const far = (i) => {
      const level = steps[i].magnitude, dy = level === null || py > upper.bottom ? 0 : magnitude(level) - py;
      return (x(at[i]) - px) ** 2 + (0.3 * dy) ** 2;
    };
    choose(steps.reduce((best, _, i) => (far(i) < far(best) ? i : best), 0));
  };
  plot.addEventListener("pointermove", nearest);
  plot.addEventListener("pointerdown", nearest);
  choose(chosen);
  return [courseLegend(steps, words), plot, classLegend(likely, words)];
}

function points(plot, steps, at, x, magnitude, colours) {
  const order = { limit: 0, detection: 1, alert: 2 };
  const drawn = steps.map((step, i) => [step, i]).sort(([one], [other]) => order[one.kind] - order[other.kind]);
  for (const [step, i] of drawn) {
    if (step.magnitude === null) continue;
    const colour = colours[step.filter ?? "unknown"], px = x(at[i]), py = magnitude(step.magnitude);
    if (step.magnitude_error !== null) {
      const [top, bottom] = [-1, 1].map((side) => magnitude(step.magnitude + side * step.magnitude_error));
      plot.append(draw("line", { stroke: colour, x1: px, x2: px, y1: Math.max(top, MARGIN.top), y2: Math.min(bottom,
        MARGIN.top + HEIGHTS.upper) }));
    }
    plot.append(sign(step, px, py, colour));
  }
}

function lines(plot, steps, at, classes, x, percent, words) {
  const said = steps.map((_, i) => i).filter((i) => steps[i].probabilities !== null);
  const likely = classes.filter((name) => said.some((i) => steps[i].probabilities[name] >= words.leastShown));
  for (const name of likely) {
    const stroke = words.classColours[name] ?? "#7F7F7F";
    const places = said.map((i) => [x(at[i]), percent(100 * steps[i].probabilities[name])]);
    plot.append(draw("polyline", { fill: "none", stroke, "stroke-width": 2, points: places.map(String).join(" ") }));
    for (const [cx, cy] of places) plot.append(draw("circle", { fill: stroke, cx, cy, r: 2.8 }));
  }
  return likely;
}

function courseLegend(steps, words) {
  const legend = make("div", { class: "legend" }), ink = "currentColor";
  for (const name of Object.keys(words.filterColours))
    if (steps.some((step) => (step.filter ?? "unknown") === name))
      legend.append(legendEntry(draw("circle", { r: 6, fill: words.filterColours[name] }), name === "unknown" ? "filter unknown" : name));
  const kinds = [["alert", null, "alert"], ["detection", true, "brighter than the reference"],
    ["detection", false, "fainter"], ["limit", null, "upper limit"]];
  for (const [kind, is_positive, text] of kinds) {
    const there = steps.some((step) => step.kind === kind && (is_positive === null || is_positive === Boolean(step.is_positive)));
    if (there) legend.append(legendEntry(sign({ kind, is_positive: is_positive ?? true }, 0, 0, ink, kind === "alert" ? 0.75 : 1), text));
  }
  return legend;
}

function classLegend(likely, words) {
  const legend = make("div", { class: "legend" });
  for (const name of likely) {
    const look = { x: -7, y: -2, width: 14, height: 4, fill: words.classColours[name] ?? "#7F7F7F" };
    legend.append(legendEntry(draw("rect", look), name));
  }
  return legend;
}

// What the log-odds lose without each part: to the right what speaks for the class.
function partsFigure(parts, name, width) {
  const rowHeight = 26, left = 124, right = width - 56, height = parts.length * rowHeight + 44;
  const most = Math.max(...parts.map((part) => Math.abs(part.log_odds_change)), 0.1);
  const x = scale(-most, most, left, right), middle = x(0);
  const text = parts.map((part) => `${part.name} ${signed(part.log_odds_change)}`).join(", ");
  const plot = draw("svg", { class: "plot", viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `Evidence for ${name}, in log-odds: ${text}` });
  parts.forEach((part, i) => {
    const y = i * rowHeight + 6, to = x(part.log_odds_change), fill = part.log_odds_change > 0 ? "var(--good)" : "var(--bad)";
    plot.append(
      draw("text", { x: left - 10, y: y + 14, "text-anchor": "end" }, part.name.replaceAll("_", " ")),
      draw("rect", { x: Math.min(middle, to), y, width: Math.max(Math.abs(to - middle), 1), height: 18, fill, rx: 2 }),
      draw("text", { class: "small", x: width - 4, y: y + 14, "text-anchor": "end" }, signed(part.log_odds_change)));
  });
  const bottom = parts.length * rowHeight + 2;
  plot.append(draw("line", { class: "axis", x1: middle, x2: middle, y1: 0, y2: bottom }),
    draw("text", { class: "small", x: middle - 8, y: bottom + 16, "text-anchor": "end" }, "← against"),
    draw("text", { class: "small", x: middle + 8, y: bottom + 16 }, `for ${name} →`),
    draw("text", { class: "small", x: middle, y: bottom + 36, "text-anchor": "middle" }, "log-odds [nat]"));
  return plot;
}

function signed(value) {
  return (value > 0 ? "+" : "") + value.toFixed(2).replace("-", "−");
}
