// Histories that look like those of a machine that trains for days.
const STEPS = [10, 60, 900, 3600, 43200];
const ROWS_MAX = 1500;

// The same at each call: no test depends on chance.
const wave = (time, period, phase = 0) => (Math.sin((time / period + phase) * 2 * Math.PI) + 1) / 2;
const grain = (time, n) => {
  const x = Math.sin(time * 12.9898 + n * 78.233) * 43758.5453;
  return x - Math.floor(x);
};

function valuesOf(name, time, index) {
  const busy = index === 0 || wave(time, 86400, 0.1) > 0.45;
  if (name.endsWith('.memory_used_share')) return busy ? 0.72 + 0.02 * grain(time, index) : 0.02;
  if (name.startsWith('gpu.') && name.endsWith('.used_share')) return busy ? 0.9 + 0.09 * grain(time, index) : 0.01;
  if (name.endsWith('.temperature_celsius')) return busy ? 68 + 6 * wave(time, 7200) + 2 * grain(time, index) : 36;
  if (name.startsWith('gpu.')) return busy ? 340 + 60 * grain(time, index) : 24;
  if (name.startsWith('filesystem./data')) return Math.min(1, 0.6 + 0.33 * wave(time, 40 * 86400));
  if (name.startsWith('filesystem.')) return 0.42;
  if (name === 'cpu_used_share') return 0.2 + 0.2 * wave(time, 3600) + 0.1 * grain(time, 7);
  if (name === 'memory_used_share') return 0.55 + 0.1 * wave(time, 20000);
  if (name === 'swap_used_share') return 0.03;
  if (name === 'cpu_temperature_celsius') return 52 + 8 * wave(time, 3600);
  if (name === 'power_watts') return 480 + 260 * wave(time, 43200) + 30 * grain(time, 3);
  return 2e6 * grain(time, 5) * wave(time, 1800) + 4e4;
}

export function historyOf(machine, from, to) {
  const end = Math.floor(Date.parse(to) / 1000);
  const begin = Math.floor(Date.parse(from) / 1000);
  const step = STEPS.find((one) => (end - begin) / one <= ROWS_MAX) ?? STEPS.at(-1);
  // For a while the machine was away: such rows are left out.
  const away = (time) => time > end - 0.6 * (end - begin) && time < end - 0.55 * (end - begin);
  const times = [];
  for (let time = Math.ceil(begin / step) * step; time <= end; time += step) if (!away(time)) times.push(time);
  const status = machine.status ?? {};
  const names = ['cpu_used_share', 'memory_used_share', 'swap_used_share', 'cpu_temperature_celsius',
    'received_bytes_per_second', 'sent_bytes_per_second', 'power_watts'].map((name) => ({ name }));
  for (const gpu of status.gpus ?? []) {
    for (const member of ['used_share', 'memory_used_share', 'temperature_celsius', 'power_watts']) {
      names.push({ name: `gpu.${gpu.id}.${member}`, gpu: gpu.index, label: gpu.name });
    }
  }
  for (const { mount } of status.filesystems ?? []) names.push({ name: `filesystem.${mount}.used_share` });
  const series = machine.status ? names.map((one) => ({ ...one, values: times.map((time) =>
    valuesOf(one.name, time, one.gpu ?? 0)) })) : [];
  return { machine: machine.name, from, to, step_s: step, times, series };
}
