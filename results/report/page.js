"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = new Map(data.trials.map((trial) => [trial.id, trial]));

  // ---- elements, whose texts are texts ----
  const element = (name, attributes, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const shown = (value) => value === null || value === undefined ? "–"
    : typeof value === "number" && !Number.isInteger(value) ? String(Number(value.toPrecision(6))) : String(value);

  // ---- tables that sort ----
  const key = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.v !== undefined ? cell.dataset.v : cell.textContent.trim();
    if (text === "" || text === "–") return null;
    // An id of digits is no number.
    const number = cell.querySelector("a") ? NaN : Number(text);
    return Number.isNaN(number) ? text : number;
  };
  // Numbers before texts; what has no value is last, whichever way.
  const compare = (a, b, sign) => {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a === typeof b) return sign * (typeof a === "number" ? a - b : a.localeCompare(b));
    return sign * (typeof a === "number" ? -1 : 1);
  };
  const sortable = (table) => {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
      const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      const body = table.tBodies[0];
      // References and means stay below the rows that they are of.
      const last = (row) => row.classList.contains("reference") ? 1 : 0;
      body.append(...[...body.rows].map((row) => [row, key(row, column)])
        .sort(([a, x], [b, y]) => last(a) - last(b) || compare(x, y, sign)).map(([row]) => row));
    }));
  };
  document.querySelectorAll("table.sortable").forEach(sortable);

  const makeTable = (names, rows) => {
    const head = element("tr", {}, ...names.map((name) =>
      element("th", {scope: "col"}, element("button", {type: "button"}, name))));
    const body = rows.map((row) => element("tr", {}, ...row.map((value) =>
      element("td", typeof value === "number" ? {class: "n"} : {}, shown(value)))));
    const table = element("table", {class: "sortable"}, element("thead", {}, head), element("tbody", {}, ...body));
    sortable(table);
    return element("div", {class: "scroll"}, table);
  };
  const facts = (object) => element("dl", {class: "facts"}, ...Object.entries(object)
    .filter(([, value]) => value !== null && value !== undefined && value !== "")
    .flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, shown(value))]));

  // ---- a training curve ----
  const svg = (name, attributes, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const niceSteps = (least, most) => {
    const raw = (most - least) / 7 || 1, magnitude = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((one) => one * magnitude).find((one) => one >= raw);
    const steps = [];
    for (let at = Math.ceil(least / step) * step; at <= most + step * 1e-9; at += step) steps.push(Number(at.toPrecision(8)));
    return steps;
  };
  const curve = (points, index, name) => {
    const known = points.filter((point) => point[index] !== null);
    if (known.length === 0) return element("p", {}, `${name}: no epoch has a value`);
    const width = 560, height = 220, left = 58, right = 12, top = 12, bottom = 40;
    const x = known.map((point) => point[0]), y = known.map((point) => point[index]);
    const [x0, x1] = [Math.min(...x), Math.max(...x)];
    let [y0, y1] = [Math.min(...y), Math.max(...y)];
    if (y1 - y0 < 1e-12) [y0, y1] = [y0 - 0.5, y1 + 0.5];
    const air = 0.06 * (y1 - y0);
    y0 -= air;
    y1 += air;
    const placeX = (at) => left + (x1 > x0 ? (at - x0) / (x1 - x0) : 0.5) * (width - left - right);
    const placeY = (at) => height - bottom - (at - y0) / (y1 - y0) * (height - top - bottom);
    const picture = svg("svg", {viewBox: `0 0 ${width} ${height}`, width, height, role: "img",
      "aria-label": `${name} over ${known.length} epochs, from ${shown(y[0])} to ${shown(y[y.length - 1])}`});
    for (const at of niceSteps(y0, y1)) {
      picture.append(svg("line", {x1: left, x2: width - right, y1: placeY(at), y2: placeY(at), stroke: "#ddd"}));
      picture.append(svg("text", {x: left - 8, y: placeY(at) + 4, "text-anchor": "end"}, shown(at)));
    }
    for (const at of x1 > x0 ? niceSteps(x0, x1).filter(Number.isInteger) : [x0])
      picture.append(svg("text", {x: placeX(at), y: height - bottom + 18, "text-anchor": "middle"}, shown(at)));
    picture.append(svg("path", {d: `M${left},${top}V${height - bottom}H${width - right}`, fill: "none", stroke: "#222"}));
    picture.append(svg("text", {x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle"}, "epoch"));
    picture.append(svg("polyline", {points: known.map((point) => `${placeX(point[0]).toFixed(1)},${placeY(point[index]).toFixed(1)}`).join(" "),
      fill: "none", stroke: "#0072B2", "stroke-width": 2}));
    if (known.length === 1) picture.append(svg("circle", {cx: placeX(x[0]), cy: placeY(y[0]), r: 4, fill: "#0072B2"}));
    return element("figure", {}, picture, element("figcaption", {}, name));
  };

  // ---- the page of a trial ----
  const page = (trial) => {
    const own = Object.fromEntries(data.varying.map((name, i) => [name, trial.row[i]]));
    const place = data.trials.indexOf(trial);
    const neighbour = (step, text) => data.trials[place + step]
      ? [element("a", {href: `#trial-${data.trials[place + step].id}`}, text), " "] : [];
    const all = {...data.constant, ...own};
    const configuration = Object.fromEntries(data.fields.map((name) => [name, all[name]]));
    const attempts = trial.attempts || [];
    const columns = ["number", "state", "host", "device", "started_at", "ended_at", "error"];
    const made = attempts.find((one) => trial.outcome && one.number === trial.outcome.attempt) || {};
    const parts = [
      element("p", {class: "back"}, element("a", {href: "#trials"}, "All trials"), " ",
        ...neighbour(-1, "previous"), ...neighbour(1, "next")),
      element("h2", {}, "Trial ", element("code", {}, trial.id)),
      element("p", {}, `State: ${all.state}`),
    ];
    if (all.last_error) parts.push(element("pre", {class: "problem"}, all.last_error));
    parts.push(element("h3", {}, "Scores"));
    parts.push((trial.scores || []).length
      ? makeTable(["scored", "AUROC %", "average precision %", "FPR at 95 % TPR", "outliers", "inliers", "seconds"],
        trial.scores.map(([i, auroc, precision, fpr, outliers, inliers, seconds]) => [data.scores[i],
          Number((100 * auroc).toFixed(4)), Number((100 * precision).toFixed(4)), fpr, outliers, inliers, seconds]))
      : element("p", {}, "None yet."));
    parts.push(element("h3", {}, "Training"));
    if ((trial.curve || []).length) parts.push(curve(trial.curve, 1, "Training loss"), curve(trial.curve, 2, "Accuracy of the pretext task"));
    else parts.push(element("p", {}, "No epoch is recorded."));
    parts.push(element("h3", {}, "Configuration"), facts(configuration));
    parts.push(element("h3", {}, "Attempts"));
    parts.push(attempts.length ? makeTable(columns, attempts.map((one) => columns.map((name) => one[name] ?? "")))
      : element("p", {}, "None yet."));
    parts.push(element("h3", {}, "Where its numbers come from"));
    parts.push(trial.outcome ? facts({attempt: trial.outcome.attempt, status: trial.outcome.status,
      "recorded at": trial.outcome.recorded_at, data: trial.outcome.data, build: made.build, revision: made.revision,
      libraries: made.libraries, deterministic: made.deterministic === undefined ? undefined : made.deterministic ? "yes" : "no",
      updates: trial.outcome.steps, "training seconds": trial.outcome.train_seconds,
      "evaluation seconds": trial.outcome.evaluate_seconds, error: trial.outcome.error})
      : element("p", {}, "No result yet."));
    return parts;
  };

  const main = document.getElementById("main"), single = document.getElementById("trial");
  const title = document.title;
  const route = () => {
    const trial = byId.get((location.hash.match(/^#trial-(.+)$/) || [])[1]);
    const wasTrial = !single.hidden;
    main.hidden = Boolean(trial);
    single.hidden = !trial;
    document.title = trial ? `${trial.id} – ${title}` : title;
    if (trial) {
      single.replaceChildren(...page(trial));
      scrollTo(0, 0);
    } else if (wasTrial && location.hash) {
      document.querySelector(location.hash)?.scrollIntoView();
    }
  };
  addEventListener("hashchange", route);
  route();

  // ---- the filter of the list ----
  const filter = document.getElementById("filter"), count = document.getElementById("shown");
  const rows = [...document.getElementById("all").tBodies[0].rows];
  // Scores are for sorting. A number must be the number, a name may be a part of one, an id may be begun;
  // "loss=rotation" looks into one column.
  const names = [...document.getElementById("all").tHead.rows[0].cells].map((head) => head.textContent);
  const described = names.length - data.scores.length;
  const texts = rows.map((row) => [...row.cells].slice(0, described).map((cell) => cell.textContent.toLowerCase()));
  const equals = (word, cell, place) => place === 0 ? word.length > 3 && cell.startsWith(word)
    : cell === "" || Number.isNaN(Number(cell)) ? cell.includes(word) : Number(cell) === Number(word);
  const matches = (word, cells) => {
    const [field, value] = word.split("=");
    const place = value === undefined ? -1 : names.indexOf(field);
    return place >= 0 ? equals(value, cells[place], place) : cells.some((cell, i) => equals(word, cell, i));
  };
  const apply = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    rows.forEach((row, i) => {
      row.hidden = !words.every((word) => matches(word, texts[i]));
      left += row.hidden ? 0 : 1;
    });
    count.textContent = `${left} of ${rows.length}`;
  };
  filter.addEventListener("input", apply);
  apply();
})();
