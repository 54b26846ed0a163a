"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();

  const axis = (more) => ({
    gridcolor: color("line"), linecolor: color("line"), zerolinecolor: color("line"), tickfont: { color: color("soft") },
    fixedrange: false, ...more,
  });

  // Marks of events: a line through the chart, and a triangle at its top that says what it was.
  const line = (event) => ({
    type: "line", x0: event.x, x1: event.x, y0: 0, y1: 1, yref: "paper", layer: "below",
    line: { color: color(event.color), width: 1, dash: "dot" },
  });
  // Where load was missing: nothing measured there judges anything.
  const shade = (stretch) => ({
    type: "rect", x0: stretch.from, x1: stretch.to, y0: 0, y1: 1, yref: "paper", layer: "below",
    fillcolor: color("red"), opacity: 0.15, line: { width: 0 },
  });
  const triangles = () => ({
    x: data.events.map((event) => event.x), y: data.events.map(() => 1), yaxis: "y2", showlegend: false,
    text: data.events.map((event) => event.text), hovertemplate: "%{text}<extra></extra>", mode: "markers",
    marker: { symbol: "triangle-down", size: 9, color: data.events.map((event) => color(event.color)) },
  });

  const trace = (series) => ({
    x: data.x, y: series.y, name: series.name, mode: data.x.length > 1 ? "lines" : "markers", connectgaps: false,
    line: { color: color(series.color), width: 1.8, dash: series.dashed ? "dash" : "solid" },
    hovertemplate: "%{y:,.5~r}",
  });

  const draw = () => {
    for (const chart of data.charts) {
      const layout = {
        paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: color("ink"), size: 12 },
        margin: { l: 56, r: 12, t: 30, b: 40 }, hovermode: "x unified", showlegend: true,
        hoverlabel: { bgcolor: color("card"), bordercolor: color("line"), font: { color: color("ink") } },
        legend: { orientation: "h", x: 0, xanchor: "left", y: 1.02, yanchor: "bottom" },
        modebar: { bgcolor: "rgba(0,0,0,0)", color: color("gray"), activecolor: color("ink") },
        xaxis: axis({ title: { text: data.unit, font: { size: 12, color: color("soft") }, standoff: 6 } }),
        yaxis: axis({ rangemode: "tozero", title: { text: chart.unit, font: { size: 12, color: color("soft") } } }),
        yaxis2: { overlaying: "y", range: [0, 1], visible: false, fixedrange: true },
        shapes: data.undelivered.map(shade).concat(data.events.map(line)),
      };
      const traces = chart.series.map(trace);
      if (data.events.length > 0) traces.push(triangles());
      const settings = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"] };
      Plotly.react(chart.id, traces, layout, settings);
    }
  };
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

  // Tables sort by the column that is clicked: numbers from the highest, texts from A.
  const figure = (cell) => parseFloat(cell.textContent.replace(/,/g, ""));
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, index) => head.addEventListener("click", () => {
      const number = head.classList.contains("n");
      const before = head.getAttribute("aria-sort");
      const descending = before ? before === "ascending" : number;
      const key = (row) => number ? (isNaN(figure(row.cells[index])) ? -1 : figure(row.cells[index])) : row.cells[index].textContent;
      const order = (a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0) * (descending ? -1 : 1);
      table.tBodies[0].append(...[...table.tBodies[0].rows].sort(order));
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    }));
  }
})();
