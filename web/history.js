// The history of a machine: which series belong into which chart, and how they are kept up to date.
import { ask } from './api.js';
import { Chart } from './chart.js';
import { at, setHidden, setText } from './dom.js';
import { shortName } from './gpus.js';
import { celsiusText, rateText, shareText, wattsText } from './text.js';

const LABELS = {
  cpu_used_share: 'CPU', memory_used_share: 'Memory', swap_used_share: 'Swap', cpu_temperature_celsius: 'CPU',
  received_bytes_per_second: 'Received', sent_bytes_per_second: 'Sent', power_watts: 'Machine',
};
const AGAIN_MS = { 3600: 10000, 86400: 60000 }; // anything longer: as below
const AGAIN_LONG_MS = 900000;

const ofGpu = (member) => (name) => name.startsWith('gpu.') && name.endsWith(`.${member}`);
const oneOf = (...names) => (name) => names.includes(name);
const share = { text: shareText, top: 1 };

const KINDS = [
  { title: 'GPU used', ...share, takes: ofGpu('used_share') },
  { title: 'GPU memory', ...share, takes: ofGpu('memory_used_share') },
  { title: 'CPU used', ...share, takes: oneOf('cpu_used_share') },
  { title: 'Memory', ...share, takes: oneOf('memory_used_share', 'swap_used_share') },
  { title: 'Temperature', text: celsiusText, highest: true,
    takes: (name) => name === 'cpu_temperature_celsius' || ofGpu('temperature_celsius')(name) },
  { title: 'Power', text: wattsText, takes: (name) => name === 'power_watts' || ofGpu('power_watts')(name) },
  { title: 'Disk', ...share, takes: (name) => name.startsWith('filesystem.') && name.endsWith('.used_share') },
  { title: 'Network', text: rateText, takes: oneOf('received_bytes_per_second', 'sent_bytes_per_second') },
];

function labelOf(series) {
  if (series.gpu !== undefined) {
    return `GPU ${series.gpu} ${shortName({ name: series.label })}`.trim();
  }
  return LABELS[series.name] ?? series.label ?? series.name.replace(/^(gpu|filesystem)\./, '').replace(/\.[a-z_]+$/, '');
}

// A GPU has the same colour in all charts, and what is not a GPU another one.
const colourOf = (series, i, all) => series.gpu ?? (all.some((one) => one.gpu !== undefined) ? 5 : i);

// Times of which nothing is known are left out of the answer: no line is to be drawn across them.
function withGaps({ times, series, step_s: step }) {
  const places = [];
  times.forEach((time, i) => {
    if (i > 0 && time - times[i - 1] > 1.5 * step) {
      places.push([times[i - 1] + step, null]);
    }
    places.push([time, i]);
  });
  return {
    times: places.map(([time]) => time),
    series: series.map((one) => ({ ...one, values: places.map(([, i]) => (i === null ? null : one.values[i])) })),
  };
}

const isKnown = (series) => series.values.some((value) => value !== null);
const stamp = (ms) => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');

// Shows the history of that machine, until the page ends. `now` gives the relay's time.
export function prepareHistory(name, now) {
  const path = `/api/v1/machines/${encodeURIComponent(name)}/history`;
  const charts = KINDS.map((kind) => new Chart(kind));
  let range = 86400;
  let asked = 0; // which question the answer must belong to
  let due = 0;

  at('charts').append(...charts.map((chart) => chart.node));

  function offer(from, to) {
    const query = `?from=${encodeURIComponent(stamp(from))}&to=${encodeURIComponent(stamp(to))}`;
    at('csv').href = `${path}${query}&format=csv`;
    at('json').href = path + query;
    at('csv').download = `${name}.csv`;
    at('json').download = `${name}.json`;
    return path + query;
  }

  function show(answer) {
    const whole = withGaps(answer);
    const history = {
      from: Date.parse(answer.from) / 1000, to: Date.parse(answer.to) / 1000, step: answer.step_s, times: whole.times,
    };
    let any = false;
    charts.forEach((chart, i) => {
      const series = whole.series.filter((one) => KINDS[i].takes(one.name) && isKnown(one))
        .map((one, nth, all) => ({ label: labelOf(one), colour: colourOf(one, nth, all), values: one.values }));
      setHidden(chart.node, series.length === 0);
      any ||= series.length > 0;
      if (series.length) {
        chart.show(history, series);
      }
    });
    setText(at('history-note'), any ? answer.lost ?? '' : 'Nothing is known of this time. Values are kept from now on.');
  }

  async function load() {
    const question = asked += 1;
    const to = now();
    due = Date.now() + (AGAIN_MS[range] ?? AGAIN_LONG_MS);
    try {
      const answer = await ask(offer(to - range * 1000, to));
      if (question === asked) {
        show(answer);
      }
    } catch (error) {
      if (question === asked) {
        setText(at('history-note'), `The history cannot be had: ${error.message}.`);
      }
    }
  }

  for (const input of document.querySelectorAll('input[name="range"]')) {
    input.checked = Number(input.value) === range;
    input.addEventListener('change', () => {
      range = Number(input.value);
      load();
    });
  }
  setInterval(() => {
    if (!document.hidden && Date.now() >= due) {
      load();
    }
  }, 1000);
  // Colours are set once a chart is made.
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => charts.forEach((chart) => chart.recolour()));
  load();
}
