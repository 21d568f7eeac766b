// Draws charts when they scroll into view, in the colours of the page's colour scheme.
"use strict";
const config = {
  responsive: true, displaylogo: false,
  // Without a pointer that hovers, the buttons would always cover the curves.
  displayModeBar: window.matchMedia("(hover: hover)").matches ? "hover" : false,
  modeBarButtonsToRemove: ["lasso2d", "select2d", "sendChartToCloud"],
};
const drawings = new Map(); // figure of each place

function themed(layout) {
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue("--ink").trim();
  const soft = style.getPropertyValue("--soft").trim();
  const line = style.getPropertyValue("--line").trim();
  const narrow = window.innerWidth < 500;
  const themed = {
    ...layout, font: { ...layout.font, color: ink, family: "system-ui, sans-serif", size: 12 },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", title: undefined,
    width: undefined, height: undefined,
    margin: { l: 60, r: 20, t: layout.annotations ? 44 : 20, b: 50 }, autosize: true,
    legend: { orientation: "h", yref: "container", yanchor: "bottom", y: 0,
      font: { size: narrow ? 10 : 12 } },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: soft, activecolor: ink },
  };
  for (const key of Object.keys(layout)) {
    if (/^[xy]axis/.test(key)) {
      themed[key] = { ...layout[key], gridcolor: line, linecolor: line, zerolinecolor: line,
        automargin: true, tickfont: { size: narrow ? 10 : 12 } };
    }
  }
  return themed;
}

// Returns a figure's data with the lines' colours of the page's colour scheme.
function coloured(data) {
  const style = getComputedStyle(document.documentElement);
  const [from, to] = ["--lines-in-print", "--lines"]
    .map((name) => style.getPropertyValue(name).trim().split(/\s+/));
  return JSON.parse(JSON.stringify(data), (_, value) => to[from.indexOf(value)] ?? value);
}

function draw(place) {
  const figure = drawings.get(place);
  return Plotly.react(place, coloured(figure.data), themed(figure.layout), config)
    .then(() => { place.dataset.drawn = "yes"; });
}

const inView = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (entry.isIntersecting && !entry.target.dataset.drawn) draw(entry.target);
  }
}, { rootMargin: "400px" });

// Shows a figure in a place; a place that is drawn already is drawn again, without a flicker.
function show(place, figure) {
  drawings.set(place, figure);
  if (place.dataset.drawn) draw(place); else inView.observe(place);
}

window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  document.querySelectorAll(".plot[data-drawn]").forEach(draw);
});

function script(fill) {
  return new Promise((done) => {
    const added = document.createElement("script");
    added.addEventListener("load", done);
    fill(added);
    document.head.append(added);
  });
}

// Shows the figures of a served page; those of equal titles are drawn again in their places.
async function showCharts(charts, found) {
  if (!window.Plotly) await script((added) => { added.src = "/static/plotly.js"; });
  const places = new Map([...charts.querySelectorAll(".chart")].map((n) => [n.dataset.title, n]));
  const wanted = new Set(found.map((of) => of.title));
  for (const child of [...charts.children]) {
    if (!wanted.has(child.dataset.title)) child.remove();
  }
  for (const { title, shape: [rows, columns], figure } of found) {
    let place = places.get(title);
    if (!place) {
      place = document.createElement("div");
      place.className = columns > 2 ? "chart wide" : "chart";
      place.dataset.title = title;
      const heading = document.createElement("h3"), plot = document.createElement("div");
      heading.textContent = title;
      plot.className = "plot";
      plot.setAttribute("role", "img");
      plot.setAttribute("aria-label", title);
      if (columns > 2) plot.style.height = `${22 * rows}rem`;
      if (columns > 1) plot.style.minWidth = `${15 * columns}rem`; // room for the titles of axes
      place.append(heading, plot);
    }
    charts.append(place);
    show(place.lastElementChild, figure);
  }
}

// In a report, figures and plotly's script (5 MB) are parts of the page. The script runs after the
// first paint, so that it does not delay text and tables.
const embedded = document.getElementById("figures-of-report");
if (embedded) {
  const figures = JSON.parse(embedded.textContent);
  window.addEventListener("load", () => requestAnimationFrame(() => setTimeout(() => {
    const added = document.createElement("script");
    added.textContent = document.getElementById("plotly").textContent;
    document.head.append(added);
    document.querySelectorAll(".plot").forEach((place) => {
      show(place, figures[Number(place.id.split("-")[1])]);
    });
  })));
}
