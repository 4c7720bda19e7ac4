// One chart: drawn for those who see it, in words and as a table for all.
import { make, makeHidden, setHidden, setText } from './dom.js';
import { followTable, makeTable } from './table.js';

const HEIGHT_PX = 200;
const ROWS_MAX = 48;
const COLOURS = 8;
const DASHES = [[], [7, 3], [], [7, 3]]; // for every two colours: as those of the legend (detail.css)

const styleOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function timesText(seconds, step) {
  const date = new Date(seconds * 1000);
  if (step >= 86400) {
    return date.toLocaleDateString(undefined, { day: 'numeric', month: 'short', year: step > 20 * 86400 ? 'numeric' : undefined });
  }
  return date.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' });
}

// Fewer rows than the chart has points: of each stretch the mean, or the highest.
function thin(times, series, highest) {
  const per = Math.max(1, Math.ceil(times.length / ROWS_MAX));
  const rows = [];
  for (let i = 0; i < times.length; i += per) {
    const values = series.map((one) => {
      const known = one.values.slice(i, i + per).filter((value) => value !== null);
      if (!known.length) {
        return null;
      }
      return highest ? Math.max(...known) : known.reduce((sum, value) => sum + value, 0) / known.length;
    });
    rows.push({ time: times[i], values });
  }
  return rows.filter((row) => row.values.some((value) => value !== null)).reverse();
}

const lastOf = (values) => values.findLast((value) => value !== null);

// "GPU 0 is at 97 %, between 2 % and 100 %"
function wordsOf(one, text) {
  const known = one.values.filter((value) => value !== null);
  return known.length ? `${one.label}: ${text(lastOf(one.values))}, between ${text(Math.min(...known))} and ${
    text(Math.max(...known))}` : '';
}

function makeLegendItem(one) {
  const node = make('li', `legend-item c${one.colour % COLOURS}`);
  const value = make('span', 'legend-value');
  node.append(make('span', 'legend-name', one.label), ' ', value);
  return { node, value };
}

export class Chart {
  // `kind` is { title, text(value), top, highest }: how values are said, the top of the scale where there is one, and
  // whether the highest value of a stretch counts.
  constructor(kind) {
    this.kind = kind;
    this.node = make('li', 'card chart');
    const head = make('div', 'chart-head');
    this.button = make('button', 'button quiet small-button', 'Show as table');
    this.button.type = 'button';
    this.button.setAttribute('aria-expanded', 'false');
    this.button.append(makeHidden(` ${kind.title}`));
    this.plot = make('div', 'plot');
    this.plot.setAttribute('role', 'img');
    this.legend = make('ul', 'legend');
    this.rows = make('div', 'chart-table');
    setHidden(this.rows, true);
    head.append(make('h3', '', kind.title), this.button);
    this.node.append(head, this.plot, this.legend, this.rows);
    this.button.addEventListener('click', () => this.toggle());
    new ResizeObserver(() => this.resize()).observe(this.plot);
  }

  toggle() {
    const open = this.rows.hidden;
    setHidden(this.rows, !open);
    setHidden(this.plot, open);
    setText(this.button.firstChild, open ? 'Show as chart' : 'Show as table');
    this.button.setAttribute('aria-expanded', String(open));
    this.fill();
  }

  // `history` is { from, to, step, times }, `series` are { label, colour, values }, each as long as the times.
  show(history, series) {
    const same = this.series && this.series.map((one) => one.label).join('\n') === series.map((one) => one.label).join('\n');
    this.history = history;
    this.series = series;
    if (!same) {
      this.items = series.map(makeLegendItem);
      this.legend.replaceChildren(...this.items.map((item) => item.node));
      this.destroy();
    }
    const text = this.kind.text;
    this.plot.setAttribute('aria-label', `${this.kind.title}. ${series.map((one) => wordsOf(one, text)).filter(Boolean).join('; ')}.`);
    this.point(null);
    this.draw();
    this.fill();
  }

  // The values under the pointer, or the latest.
  point(index) {
    this.items.forEach((item, i) => {
      const { values } = this.series[i];
      setText(item.value, this.kind.text((index === null ? lastOf(values) : values[index]) ?? undefined));
    });
  }

  data() {
    return [this.history.times, ...this.series.map((one) => one.values)];
  }

  draw() {
    if (this.chart) {
      this.chart.setData(this.data(), false);
      this.chart.setScale('x', { min: this.history.from, max: this.history.to });
    } else if (this.plot.clientWidth) {
      this.chart = new window.uPlot(this.options(), this.data(), this.plot);
    }
  }

  options() {
    const soft = styleOf('--soft');
    const line = styleOf('--line');
    const axis = { stroke: soft, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: '12px system-ui, sans-serif' };
    return {
      width: this.plot.clientWidth,
      height: HEIGHT_PX,
      legend: { show: false },
      cursor: { sync: { key: 'history' }, drag: { setScale: false, x: false }, points: { size: 6 } },
      scales: {
        x: { time: true, min: this.history.from, max: this.history.to },
        y: { range: (_, low, high) => [Math.min(0, low ?? 0), this.kind.top ?? Math.max(high ?? 0, 1e-9) * 1.1] },
      },
      axes: [
        { ...axis, space: 84, size: 34, values: (_, splits, __, ___, step) => splits.map((at) => timesText(at, step)) },
        { ...axis, size: 62, space: 38, values: (_, splits) => splits.map((value) => this.kind.text(value)) },
      ],
      series: [{}, ...this.series.map((one) => ({
        label: one.label,
        stroke: styleOf(`--c${one.colour % COLOURS}`),
        width: 2,
        dash: DASHES[Math.floor(one.colour / 2) % DASHES.length],
        points: { size: 4 }, // drawn where they are few
      }))],
      hooks: { setCursor: [(chart) => this.point(chart.cursor.idx ?? null)] },
    };
  }

  resize() {
    if (this.series && this.plot.clientWidth) {
      this.draw();
      this.chart.setSize({ width: this.plot.clientWidth, height: HEIGHT_PX });
    }
  }

  destroy() {
    this.chart?.destroy();
    this.chart = null;
    this.table?.node.remove();
    this.table = null;
  }

  recolour() {
    this.chart?.destroy();
    this.chart = null;
    if (this.series) {
      this.draw();
    }
  }

  // Only when it can be seen: it is made anew each time.
  fill() {
    if (this.rows.hidden) {
      return;
    }
    const { times, step } = this.history;
    const text = (value) => this.kind.text(value ?? undefined);
    const when = (row) => new Date(row.time * 1000).toLocaleString(undefined, { dateStyle: 'short', timeStyle: step < 60 ? 'medium' : 'short' });
    if (!this.table) {
      const columns = this.series.map((one, i) => ({ name: one.label, text: (row) => text(row.values[i]), kind: 'number' }));
      this.table = makeTable(`${this.kind.title}, ${this.kind.highest ? 'the highest' : 'the mean'} of each stretch`,
        [{ name: 'From', text: when }, ...columns]);
      this.rows.replaceChildren(this.table.node);
    }
    followTable(this.table, thin(times, this.series, this.kind.highest), (row) => row.time);
  }
}
