const plots = [...document.querySelectorAll(".plot")];
const PAPER = 680; // pixels between the margins of A4
const isNarrow = () => window.innerWidth < 640;
const pressing = plot => [...document.querySelectorAll(`[data-plot="${plot.id}"]`)];

for (const plot of plots) {
  const figure = JSON.parse(document.getElementById(`${plot.id}-data`).textContent);
  figure.layout.font.family = getComputedStyle(document.body).fontFamily;
  if (isNarrow()) {
    figure.layout.margin = { l: 40, r: 8, t: 10, b: 40 };
    figure.layout.font.size = 11;
    figure.layout.height = 320;
    figure.layout.dragmode = false; // a finger moves the page
  }
  Plotly.newPlot(plot, figure.data, figure.layout, { responsive: true, displayModeBar: false, displaylogo: false });
  for (const button of pressing(plot)) {
    button.addEventListener("click", () => {
      const shown = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", shown);
      Plotly.restyle(plot, { visible: shown }, JSON.parse(button.dataset.traces));
    });
  }
}
const folded = [...document.querySelectorAll("details.printed")];
window.addEventListener("beforeprint", () => {
  folded.forEach(part => { part.dataset.folded = !part.open; part.open = true; });
  plots.forEach(plot => Plotly.relayout(plot, { autosize: false, width: PAPER }));
});
window.addEventListener("afterprint", () => {
  folded.forEach(part => { part.open = part.dataset.folded !== "true"; });
  plots.forEach(plot => Plotly.relayout(plot, { autosize: true, width: null }));
});
