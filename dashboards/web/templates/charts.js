// Draws each chart when it scrolls into view, in the colours of the page's colour scheme.
"use strict";
const figures = JSON.parse(document.getElementById("figures").textContent);
const config = {
  responsive: true, displaylogo: false, displayModeBar: "hover",
  modeBarButtonsToRemove: ["lasso2d", "select2d", "sendChartToCloud"],
};

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
        automargin: true };
    }
  }
  return themed;
}

function draw(place) {
  const figure = figures[Number(place.id.split("-")[1])];
  return Plotly.react(place, figure.data, themed(figure.layout), config)
    .then(() => { place.dataset.drawn = "yes"; });
}

// Plotly's script (5 MB) runs after the first paint, so that it does not delay text and tables.
function run(text) {
  const script = document.createElement("script");
  script.textContent = text;
  document.head.append(script);
}

const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (entry.isIntersecting && !entry.target.dataset.drawn) draw(entry.target);
  }
}, { rootMargin: "400px" });
window.addEventListener("load", () => requestAnimationFrame(() => setTimeout(() => {
  run(document.getElementById("plotly").textContent);
  document.querySelectorAll(".plot").forEach((place) => seen.observe(place));
})));

window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  document.querySelectorAll(".plot[data-drawn]").forEach(draw);
});
