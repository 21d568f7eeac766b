// The viewer of samples: each pixel of an image is a whole number of pixels of the screen. A picture
// is a grid of images, stored enlarged with white lines between; its images are drawn one by one.
"use strict";
const LINE = 4; // px between the images of a stored picture
const GAP = 2; // px between the images on the screen
const MOST_WIDE = 64; // px of an image at first

// What a pane shows: the columns and rows of images, and the place of each in the stored picture.
function gridOf(viewer, image, frame) {
  const { width, height, enlarged } = viewer.dataset;
  if (!width) { // one picture without a grid, such as a scatter plot
    return { columns: 1, rows: 1, width: image.naturalWidth, height: image.naturalHeight,
      source: () => [0, 0, image.naturalWidth, image.naturalHeight] };
  }
  const [w, h] = [width * enlarged, height * enlarged];
  const columns = Math.round((image.naturalWidth - LINE) / (w + LINE));
  const rows = Math.round((image.naturalHeight - LINE) / (h + LINE));
  const at = (column, row) => [LINE + column * (w + LINE), LINE + row * (h + LINE), w, h];
  if (frame === null) return { columns, rows, width: +width, height: +height, source: at };
  // The rows of frames are images: one frame is a row of all images.
  return { columns: rows, rows: 1, width: +width, height: +height,
    source: (column) => at(frame, column) };
}

// The numbers of the images that lie in a range of pixels.
function seen(from, length, size, most) {
  const first = Math.floor(from / (size + GAP));
  const last = Math.min(most - 1, Math.floor((from + length - 1) / (size + GAP)));
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, n) => first + n);
}

function drawPane(pane, grid, zoom) {
  const image = pane.querySelector("img"), ratio = window.devicePixelRatio;
  let canvas = pane.querySelector("canvas");
  if (!canvas) {
    canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    pane.querySelector(".area").append(canvas);
  }
  canvas.setAttribute("aria-label", image.alt);
  image.hidden = true;
  const [w, h] = [grid.width * zoom, grid.height * zoom]; // px of the screen
  const [wide, high] = [grid.columns * (w + GAP) - GAP, grid.rows * (h + GAP) - GAP];
  pane.style.width = `${wide / ratio}px`; // at most the width of the page: the pane then scrolls
  pane.style.height = `${high / ratio}px`;
  const area = pane.querySelector(".area");
  area.style.width = `${wide / ratio}px`;
  area.style.height = `${high / ratio}px`;
  // Only what is seen is drawn: 64 images of 256 pixels, four times enlarged, have 67 megapixels.
  const [x, y] = [pane.scrollLeft, pane.scrollTop].map((of) => Math.round(of * ratio));
  canvas.width = Math.min(wide, Math.ceil(pane.clientWidth * ratio));
  canvas.height = Math.min(high, Math.ceil(pane.clientHeight * ratio));
  canvas.style.width = `${canvas.width / ratio}px`;
  canvas.style.height = `${canvas.height / ratio}px`;
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  const [rows, columns] = [seen(y, canvas.height, h, grid.rows), seen(x, canvas.width, w, grid.columns)];
  for (const row of rows) {
    for (const column of columns) {
      context.drawImage(image, ...grid.source(column, row),
        column * (w + GAP) - x, row * (h + GAP) - y, w, h);
    }
  }
}

function start(viewer) {
  const figures = [...viewer.querySelectorAll("figure")];
  const slider = viewer.querySelector("input"), zoom = viewer.querySelector("select");
  const frames = viewer.dataset.frames ? JSON.parse(viewer.dataset.frames) : null;
  const at = () => (slider ? Number(slider.value) : 0);
  const shown = () => figures[frames ? 0 : at()];
  const draw = (pane) => {
    const image = pane.querySelector("img");
    if (image.complete && image.naturalWidth) {
      drawPane(pane, gridOf(viewer, image, frames ? at() : null), Number(zoom.value));
    } else {
      image.addEventListener("load", () => draw(pane), { once: true });
    }
  };
  const show = () => {
    figures.forEach((figure) => { figure.hidden = figure !== shown(); });
    if (frames) figures[0].querySelector("figcaption").textContent = frames[at()];
    shown().querySelectorAll(".pane").forEach(draw);
  };
  for (const figure of figures) {
    const panes = [...figure.querySelectorAll(".pane")];
    for (const pane of panes) { // raw and denoised images show the same part
      pane.addEventListener("scroll", () => {
        for (const other of panes) {
          if (other !== pane) other.scrollTo(pane.scrollLeft, pane.scrollTop);
        }
        draw(pane);
      });
    }
  }
  slider?.addEventListener("input", show);
  zoom.addEventListener("change", show);
  window.addEventListener("resize", show);
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target === zoom) return;
    const other = event.target.closest("[data-viewer]");
    if (other && other !== viewer) return; // the keys act on the viewer that has the focus
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const grow = { "+": 1, "-": -1 }[event.key];
    const scrolls = event.target.matches(".pane") && event.target.scrollWidth > event.target.clientWidth;
    if (step && slider && event.target !== slider && !scrolls) {
      slider.value = Number(slider.value) + step;
      show();
    }
    if (grow) {
      zoom.selectedIndex = Math.min(Math.max(zoom.selectedIndex + grow, 0), zoom.length - 1);
      show();
    }
  });
  const first = figures[0].querySelector("img");
  const fit = () => { // the largest zoom at which the images are seen whole, side by side
    const { columns, width } = gridOf(viewer, first, frames ? 0 : null);
    const panes = window.innerWidth > 500 ? figures[0].querySelectorAll(".pane").length : 1;
    const room = window.devicePixelRatio * viewer.clientWidth / panes - 16;
    const fits = [...zoom.options].filter((of) => width * of.value <= MOST_WIDE
      && columns * (width * of.value + GAP) <= room);
    zoom.selectedIndex = Math.max(0, fits.length - 1);
    show();
  };
  if (first.complete && first.naturalWidth) fit();
  else first.addEventListener("load", fit, { once: true });
}

document.querySelectorAll("[data-viewer]").forEach(start);
