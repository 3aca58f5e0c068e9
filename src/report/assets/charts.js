// Draws each chart from the data beside it. Colours are those of the style sheet, so that they follow light, dark and print.
(function () {
  'use strict';
  const ink = 'var(--ink)', soft = 'var(--soft)', line = 'var(--line)';
  const text = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "Liberation Sans", sans-serif';
  const config = {
    aria: false,
    background: 'transparent',
    font: text,
    padding: { left: 2, right: 14, top: 8, bottom: 2 },
    view: { stroke: null },
    axis: {
      labelColor: soft, titleColor: soft, domainColor: line, tickColor: line, gridColor: line,
      labelFontSize: 12, titleFontSize: 12, titleFontWeight: 'normal', titlePadding: 8, labelPadding: 5, labelSeparation: 14, tickSize: 4
    },
    axisQuantitative: { domain: false, ticks: false, tickCount: 5 },
    axisDiscrete: { grid: false, labelAngle: 0 },
    axisTemporal: { grid: false, format: { year: '%Y', quarter: '%b', month: '%b', week: '%b %-d', date: '%b %-d', hours: '%H:%M', minutes: '%H:%M' } },
    legend: { labelColor: ink, titleColor: soft, titleFontWeight: 'normal', labelFontSize: 12, titleFontSize: 12, orient: 'top', columns: 3, symbolType: 'circle' },
    title: { color: ink, subtitleColor: soft },
    range: { category: [1, 2, 3, 4, 5, 6, 7, 8].map((n) => 'var(--c' + n + ')') },
    mark: { color: 'var(--c1)', tooltip: true },
    bar: { cornerRadiusEnd: 2, discreteBandSize: { band: 0.72 } },
    line: { strokeWidth: 2, interpolate: 'linear' },
    area: { fillOpacity: 0.25 },
    arc: { stroke: 'var(--paper)', strokeWidth: 2 },
    text: { color: ink },
    rule: { color: soft }
  };

  function draw(figure) {
    const drawing = figure.querySelector('.drawing');
    const data = JSON.parse(document.getElementById(figure.id + '-data').textContent);
    const rows = data.rows.map((row) => Object.fromEntries(row.map((value, i) => [data.columns[i], value])));
    if (rows.length === 0) return;
    const spec = Object.assign({ width: 'container', height: 300, autosize: { type: 'fit-x', contains: 'padding' } }, data.spec);
    spec.data = { values: rows };
    if (rows.length > 60 && spec.mark && spec.mark.type === 'line') delete spec.mark.point;  // a line of dots
    // A name that does not fit beside its neighbour is written at an angle.
    const x = spec.encoding && spec.encoding.x;
    if (x && x.axis && x.type === 'nominal' && new Set(rows.map((row) => row[x.title])).size > drawing.clientWidth / 70)
      Object.assign(x.axis, { labelAngle: -50, labelOverlap: rows.length > drawing.clientWidth / 14 });
    const compiled = vegaLite.compile(spec, { config: config, logger: vega.logger(vega.Error) }).spec;
    const view = new vega.View(vega.parse(compiled, null, { ast: true }),
      { expr: vegaInterpreter, renderer: 'svg', container: drawing, hover: true });
    view.run();
    drawing.querySelector('svg').setAttribute('aria-hidden', 'true');  // its words are the drawing's
    figure.view = view;
  }

  for (const figure of document.querySelectorAll('figure.chart')) {
    try {
      draw(figure);
    } catch (problem) {
      const note = document.createElement('figcaption');
      note.textContent = 'The chart could not be drawn: ' + problem.message;
      figure.append(note);
    }
  }
})();
