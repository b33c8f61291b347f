// Draws the plots of a report. In: the page's own data. Out: canvases. Asks for nothing from anywhere.
(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const COLOURS = ["--a", "--b", "--c"];
  let drawn = [];

  const clock = (s) => (s < 60 ? `${+s.toFixed(1)} s` : `${Math.floor(s / 60)}:${String(Math.round(s % 60)).padStart(2, "0")}`);
  const number = (value) => (value === null || value === undefined ? "–" : +value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0));

  // Phases as bands behind the lines, with their names.
  const bands = (plot) => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.font = `${11 * devicePixelRatio}px system-ui`;
    data.phases.forEach((phase, index) => {
      const from = plot.valToPos(phase.from, "x", true);
      const to = plot.valToPos(phase.to, "x", true);
      ctx.fillStyle = colour(index % 2 ? "--band-b" : "--band-a");
      ctx.fillRect(from, bbox.top, to - from, bbox.height);
      const width = ctx.measureText(phase.name).width;
      if (to - from > width + 8) {
        ctx.fillStyle = colour("--soft");
        ctx.fillText(phase.name, Math.max(from, bbox.left) + 4, bbox.top + 12 * devicePixelRatio);
      }
    });
    ctx.restore();
  };

  const axis = (more) => ({
    stroke: colour("--soft"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { stroke: colour("--line"), width: 1 },
    ...more,
  });

  const line = (label, index) => ({
    label,
    stroke: colour(COLOURS[index]),
    width: 1.5,
    points: { show: data.x.length < 3 },
    spanGaps: false,
    value: (_, value) => number(value),
  });

  const draw = () => {
    for (const plot of drawn) plot.destroy();
    drawn = data.plots.map(({ id, unit, series }) => {
      const target = document.getElementById(id);
      const options = {
        width: target.clientWidth,
        height: 170,
        cursor: { sync: { key: "run", scales: ["x", null] }, drag: { x: true, y: false }, focus: { prox: 30 } },
        scales: { x: { time: false }, y: { range: (_, low, high) => [0, Math.max(high ?? 0, 1e-3) * 1.1] } },
        axes: [
          axis({ values: (_, splits) => splits.map(clock) }),
          axis({ size: 74, values: (_, splits) => splits.map((split) => `${number(split)}${unit}`) }),
        ],
        series: [{ label: "at", value: (_, at) => (at === null ? "–" : clock(at)) }, ...series.map(({ label }, index) => line(label, index))],
        hooks: { drawClear: [bands] },
      };
      return new uPlot(options, [data.x, ...series.map(({ values }) => values)], target);
    });
    drawn.push(...data.distributions.map(({ id, counts }) => {
      const target = document.getElementById(id);
      const options = {
        width: target.clientWidth,
        height: 150,
        scales: { x: { time: false }, y: { range: (_, low, high) => [0, Math.max(high ?? 0, 1) * 1.05] } },
        axes: [axis({ values: (_, splits) => splits.map((ms) => `${ms} ms`) }), axis({ size: 74 })],
        series: [
          { label: "ms", value: (_, ms) => (ms === null ? "–" : `${ms}`) },
          { label: "snapshots", stroke: colour("--a"), fill: colour("--a"), paths: uPlot.paths.bars({ size: [0.9] }), points: { show: false } },
        ],
      };
      return new uPlot(options, [counts.map((_, ms) => ms), counts], target);
    }));
  };

  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  let pending = 0;
  addEventListener("resize", () => {
    clearTimeout(pending);
    pending = setTimeout(draw, 150);
  });
})();
